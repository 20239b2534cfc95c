"""Blocks as compiled kernels: one graph for all, and none for whoever looks in between."""

import pytest
import torch
from torch._dynamo.utils import counters

from hanpuri.training.loop import engine
from hanpuri.training.loop.compiling import as_written, blocks_of, compile_blocks, release_blocks
from hanpuri.training.loop.trainer import run_loop

# The compiler looks at the gradient of a residual stream, and is warned by its own library.
pytestmark = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")


@pytest.fixture
def graphs():
    """Count the graphs that are made; the compiler's own backend is left out, which takes a minute."""
    torch._dynamo.reset()
    counters.clear()
    yield lambda: counters["stats"]["unique_graphs"]
    torch._dynamo.reset()


def test_all_blocks_share_a_graph_and_looks_in_between_make_none(material_of, graphs):
    model = material_of().model.train()
    ids = torch.arange(24).reshape(2, 12)
    expected = model(input_ids=ids, use_cache=False).logits
    assert compile_blocks(model, backend="eager") == len(model.model.layers) > 1
    assert torch.equal(model(input_ids=ids, use_cache=False).logits, expected)
    assert graphs() == 1
    with as_written(model), torch.no_grad():
        model.eval()(input_ids=ids[:, :5], use_cache=False)
    assert graphs() == 1


def test_released_blocks_compute_as_before(material_of, graphs):
    model = material_of().model
    names = list(model.state_dict())
    compile_blocks(model, backend="eager")
    release_blocks(model)
    model(input_ids=torch.arange(8)[None], use_cache=False)
    assert graphs() == 0
    assert list(model.state_dict()) == names


def test_a_model_without_known_blocks_is_a_wrong_call(material_of):
    model = material_of().model
    model._no_split_modules = None
    with pytest.raises(ValueError, match=r"^LlamaForCausalLM: found no blocks, expected _no_split_modules to name"):
        compile_blocks(model)


@pytest.mark.parametrize("adapter", [False, True])
def test_a_run_compiles_its_blocks_and_gives_them_back(recipe_of, run_of, material_of, monkeypatch, graphs, adapter):
    seen = []

    def compile_quickly(model):
        seen.append(compile_blocks(model, backend="eager"))

    monkeypatch.setattr(engine, "compile_blocks", compile_quickly)
    recipe = recipe_of({"compile": True, "steps": 2}, {"evaluate_every": 1})
    material = material_of(adapter=adapter)
    result = run_loop(recipe, run_of(recipe), material, device="cpu")
    assert result.finished
    assert seen == [len(blocks_of(material.model))]
    assert 1 <= graphs() <= 4  # the two steps have lengths of their own
    assert not any(block._compiled_call_impl for block in blocks_of(material.model))
