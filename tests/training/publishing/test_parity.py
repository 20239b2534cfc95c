"""The proof finds what it has to find: a wrong weight, a wrong merge, another tokenizer, another template."""

import json
import shutil
import warnings
from dataclasses import replace

import pytest
import torch

from hanpuri.errors import ModelError
from hanpuri.training.publishing.building import check_export, check_tokens, prepare_questions, save_asking
from hanpuri.training.publishing.merging import load_adapted, load_whole, merge, save_model
from hanpuri.training.publishing.origin import open_origin
from hanpuri.training.publishing.parity import check_equal, compare, digest_weights, observe
from hanpuri.training.publishing.rounding import rounded_at_random


@pytest.fixture(scope="module")
def case(bf16_run):
    """A run in bf16, where rounding is coarse and faults are the hardest to see: origin, questions, reference."""
    origin = open_origin(bf16_run)
    asked = prepare_questions(origin, 400)
    return origin, asked, observe(load_adapted(origin, "cpu"), asked.prompts, asked.prompting.stop_ids)


def against(case, model):
    _, asked, reference = case
    return compare(reference, observe(model, asked.prompts, asked.prompting.stop_ids, reference))


def lora_layers(model):
    return [module for module in model.modules() if hasattr(module, "lora_A") and hasattr(module, "base_layer")]


def merged_twice(origin):
    adapted = load_adapted(origin, "cpu")
    for layer in lora_layers(adapted):
        layer.base_layer.weight.data += layer.get_delta_weight("default").to(layer.base_layer.weight.dtype)
    return merge(adapted)


def not_merged(origin):
    return load_adapted(origin, "cpu").unload()


def merged_into_4_bits(origin):
    adapted = load_adapted(origin, "cpu", in_4_bits=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PEFT warns of just this
        return adapted.merge_and_unload()


def scaled(origin):
    """As with alpha / r mistaken by a quarter."""
    adapted = load_adapted(origin, "cpu")
    for layer in lora_layers(adapted):
        layer.scaling["default"] *= 1.25
    return merge(adapted)


@pytest.mark.parametrize("wrong", [merged_twice, not_merged, merged_into_4_bits, scaled])
def test_a_wrong_merge_is_found(case, wrong):
    comparison = against(case, wrong(case[0]))
    with pytest.raises(
        ModelError, match=r"^it does not answer as the trained model: logits differ by up to [\d.]+; in"
    ):
        check_equal(comparison, "it")


def test_a_right_merge_is_not(case):
    comparison = against(case, merge(load_adapted(case[0], "cpu")))
    check_equal(comparison, "it")
    assert comparison.same_text + comparison.ties == 8


def test_a_merge_into_4_bits_is_not_even_begun(case):
    with pytest.raises(ModelError) as caught:
        merge(load_adapted(case[0], "cpu", in_4_bits=True))
    assert str(caught.value) == (
        "found a quantised base to merge into, expected the weights that it was made from;"
        " a merge into 4 bits adds their error to the model for good"
    )


@pytest.fixture(scope="module")
def saved(case, tmp_path_factory):
    origin, asked, _ = case
    model, folder = merge(load_adapted(origin, "cpu")), tmp_path_factory.mktemp("saved") / "exported"
    save_model(model, folder)
    save_asking(origin, asked, folder)
    return folder, digest_weights(model)


@pytest.fixture
def exported(saved, tmp_path):
    """The run's merged model as a folder, to be spoilt, and the digests of its weights."""
    return shutil.copytree(saved[0], tmp_path / "exported"), saved[1]


def test_a_sound_folder_passes(case, exported):
    folder, digests = exported
    assert check_export(folder, digests, case[1], case[2], "cpu").equal


def test_a_single_bit_of_a_weight_is_found(case, exported):
    folder, digests = exported
    path = folder / "model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"^the saved weights are not those of the merged model: \S+ differ; look at"):
        check_export(folder, digests, case[1], case[2], "cpu")


def change_template(folder):
    path = folder / "prompt_template.yaml"
    text = path.read_text(encoding="utf-8").replace("### 답변:", "### 응답:")
    path.write_text("".join(line for line in text.splitlines(True) if not line.startswith("sha256")), encoding="utf-8")


def change_tokenizer(folder):
    path = folder / "tokenizer.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["model"]["merges"] = fields["model"]["merges"][:100]
    path.write_text(json.dumps(fields), encoding="utf-8")


@pytest.mark.parametrize("change", [change_template, change_tokenizer])
def test_another_tokenizer_or_template_is_found(case, exported, tmp_path, change):
    folder, _ = exported
    change(folder)
    with pytest.raises(ModelError, match=r"the exported tokenizer and template make \d+ tokens of it that are not the"):
        check_tokens(folder, case[1])


def test_an_adapter_of_another_base_is_refused(case, tiny_model):
    other = replace(case[0], base=tiny_model("gpt-neox"))
    with pytest.raises(ModelError, match="found an adapter for "):
        load_adapted(other, "cpu")


def test_rounding_at_random_leaves_the_model_as_it_was(tiny_model):
    model = load_whole(tiny_model("llama"), "cpu")
    ids = torch.tensor([[5, 6, 7, 8]])
    with torch.no_grad():
        before = model(ids).logits
        with rounded_at_random(model, 2.0**-8, seed=0):
            coarse = (model(ids).logits - before).square().mean().sqrt()
        with rounded_at_random(model, 2.0**-11, seed=0):
            fine = (model(ids).logits - before).square().mean().sqrt()
        assert torch.equal(model(ids).logits, before)
    assert 4 < coarse / fine < 16, "eight times the unit, about eight times the error"
