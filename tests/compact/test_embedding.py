"""
The sum of embeddings, and the loss: where a GPU wants another shape of the same sums.

In: what torch's own functions take. Out: what they give, gradients too.
"""

import pytest
import torch
from torch.nn import functional as F

from hanpuri.compact.embedding import SumByProduct, SummedEmbedding, gather_sum
from hanpuri.compact.learning.loss import head_loss


@pytest.fixture
def features() -> torch.Tensor:
    """(3, 20, 6): each feature has rows of its own, as in a vocabulary."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(13, (3, 20, 6), generator=random) + 13 * torch.arange(6)


@pytest.mark.parametrize(
    ("dtype", "closeness"),
    [
        (torch.float32, {"atol": 1e-5, "rtol": 1e-5}),
        # sixty summands of 16 bits each
        (torch.bfloat16, {"atol": 0.1, "rtol": 0.02}),
    ],
)
def test_the_gradient_as_a_product_is_the_one_that_is_gathered(features, dtype, closeness):
    table = torch.randn(78, 16, generator=torch.Generator().manual_seed(1))
    toward = torch.randn(3, 20, 16, generator=torch.Generator().manual_seed(2)).to(dtype)
    gathered, product = table.clone().requires_grad_(), table.clone().requires_grad_()
    one, other = gather_sum(gathered, features, dtype), SumByProduct.apply(product, features, dtype, gather_sum)
    assert torch.equal(one, other)
    one.backward(toward)
    other.backward(toward)
    assert product.grad.dtype == torch.float32
    torch.testing.assert_close(product.grad, gathered.grad, **closeness)


def test_a_summed_embedding_adds_rows_in_the_precision_of_the_autocast(features):
    embedding = SummedEmbedding(78, 16)
    expected = F.embedding(features, embedding.weight).sum(2)
    torch.testing.assert_close(embedding(features), expected)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(embedding(features), expected.bfloat16())
        with torch.inference_mode():
            assert torch.equal(embedding(features), expected.bfloat16())


@pytest.mark.parametrize("num_labels", [5, 63, 64, 65])
def test_columns_that_only_fill_up_change_neither_loss_nor_gradients(num_labels):
    random = torch.Generator().manual_seed(0)
    hidden = torch.randn(2, 7, 16, generator=random, requires_grad=True)
    weight = torch.randn(num_labels, 16, generator=random, requires_grad=True)
    bias = torch.randn(num_labels, generator=random, requires_grad=True)
    labels = torch.randint(num_labels, (2, 7), generator=random)
    plain = F.cross_entropy(F.linear(hidden, weight, bias).flatten(0, 1), labels.flatten())
    padded = head_loss(hidden, weight, bias, labels)
    torch.testing.assert_close(padded, plain)
    parts = hidden, weight, bias
    for one, other in zip(torch.autograd.grad(padded, parts), torch.autograd.grad(plain, parts), strict=True):
        torch.testing.assert_close(one, other)


def test_the_loss_leaves_out_what_is_not_learnt():
    hidden, weight, bias = torch.randn(1, 3, 4), torch.randn(5, 4), torch.randn(5)
    loss = head_loss(hidden, weight, bias, torch.tensor([[2, -100, -100]]))
    torch.testing.assert_close(loss, -(hidden[0, 0] @ weight.T + bias).log_softmax(-1)[2])
