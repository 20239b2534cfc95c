"""
The encoder, in shapes.

In: features (B, T, 6). Out: scores (B, T, num_labels).
"""

import re

import pytest
import torch

from hanpuri.compact.network import HEAD_WIDTH, NetworkShape, RestorerNetwork, rotary_angles, rotate
from hanpuri.compact.settings import MAX_LENGTH

SHAPE = NetworkShape(num_embeddings=50, num_labels=7, width=128, num_layers=2)


@pytest.fixture(scope="module")
def network() -> RestorerNetwork:
    torch.manual_seed(0)
    return RestorerNetwork(SHAPE).eval()


def draw(batch: int, length: int) -> torch.Tensor:
    return torch.randint(SHAPE.num_embeddings, (batch, length, 6), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("width", [-64, 0, 1, 63, 65, 100])
def test_a_width_that_heads_do_not_divide_is_refused(width):
    message = f"the width is {width}; it has to be a multiple of 64"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        NetworkShape(num_embeddings=50, num_labels=7, width=width, num_layers=2)


@pytest.mark.parametrize(("width", "num_heads"), [(64, 1), (128, 2), (320, 5)])
def test_heads_are_64_wide(width, num_heads):
    assert NetworkShape(num_embeddings=50, num_labels=7, width=width, num_layers=2).num_heads == num_heads


def test_a_shape_comes_back_from_its_numbers():
    assert NetworkShape(**SHAPE.as_dict()) == SHAPE


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("length", [1, 2, 17, MAX_LENGTH])
def test_every_item_gets_a_score_for_every_label(network, batch, length):
    features = draw(batch, length)
    with torch.inference_mode():
        assert network(features).shape == (batch, length, 7)
        assert network.encode(features).shape == (batch, length, 128)


def test_features_may_come_in_32_bits_as_the_runtime_gives_them(network):
    features = draw(2, 9)
    with torch.inference_mode():
        assert torch.equal(network(features), network(features.int()))


def test_what_is_encoded_has_a_root_mean_square_of_one(network):
    with torch.inference_mode():
        squares = network.encode(draw(2, 9)).square().mean(-1)
    torch.testing.assert_close(squares, torch.ones(2, 9), atol=1e-2, rtol=0)


def test_a_row_does_not_hear_the_rows_beside_it(network):
    features = draw(4, 20)
    with torch.inference_mode():
        torch.testing.assert_close(network(features)[2:3], network(features[2:3]), atol=1e-5, rtol=1e-5)


def test_an_item_hears_the_others_on_both_sides_and_the_order_counts():
    torch.manual_seed(0)
    network = RestorerNetwork(NetworkShape(num_embeddings=50, num_labels=7, width=64, num_layers=1)).eval()
    torch.nn.init.normal_(network.blocks[0].query_key_value.weight, std=0.1)
    torch.nn.init.normal_(network.blocks[0].attention_out.weight, std=0.1)
    features = draw(1, 12)
    with torch.inference_mode():
        before = network(features)[0, 6]
        for changed in (0, 11):
            other = features.clone()
            other[0, changed] = (other[0, changed] + 1) % 50
            assert not torch.allclose(network(other)[0, 6], before, atol=1e-4)
        swapped = features[:, [1, 0, *range(2, 12)]]
        assert not torch.allclose(network(swapped)[0, 6], before, atol=1e-4)


def test_a_rotation_keeps_lengths_and_leaves_the_first_position_as_it_is():
    angles = rotary_angles()
    heads = torch.randn(1, 1, MAX_LENGTH, HEAD_WIDTH, generator=torch.Generator().manual_seed(0))
    rotated = rotate(heads, angles.cos(), angles.sin())
    torch.testing.assert_close(rotated.norm(dim=-1), heads.norm(dim=-1))
    assert torch.equal(rotated[:, :, 0], heads[:, :, 0])


def test_what_two_rotated_items_have_in_common_depends_on_their_distance_alone():
    angles = rotary_angles()
    one, two = torch.randn(2, HEAD_WIDTH, generator=torch.Generator().manual_seed(0))

    def product(first: int, second: int) -> torch.Tensor:
        both = torch.zeros(1, 2, MAX_LENGTH, HEAD_WIDTH)
        both[0, 0, first], both[0, 1, second] = one, two
        rotated = rotate(both, angles.cos(), angles.sin())
        return rotated[0, 0, first] @ rotated[0, 1, second]

    torch.testing.assert_close(product(3, 10), product(403, 410), atol=1e-3, rtol=1e-3)


def test_sixteen_bits_change_scores_little(network):
    features = draw(2, 30)
    with torch.inference_mode():
        exact = network(features)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(features)
    assert rough.dtype == torch.bfloat16
    torch.testing.assert_close(rough.float(), exact, atol=0.02, rtol=0.1)
