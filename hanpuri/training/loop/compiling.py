"""
The blocks of a network as compiled kernels, while it learns.

In: a model. Out: the same one, its blocks compiled in place: of a llama of ten layers ten blocks, which are alike, so
that one graph is made for all. Names and weights stay as they are; whoever looks in between computes as before:

    embedding ─► [block] ─► [block] ─► … ─► norm ─► head          [ ] compiled, at the first step

A block alone and not the whole model: masks, caches and the head are TRL's and transformers' own and have branches that
would break the graph, and ten blocks compile in the time of one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def compile_blocks(model: Any, *, backend: str = "inductor") -> int:
    """
    Compile the blocks of a model in place, and count them.

    Args:
        model: a PreTrainedModel or a PeftModel.
        backend: of torch.compile.

    Raises:
        ValueError: if the model does not say what its blocks are.
    """
    found = blocks_of(model)
    if not found:
        raise ValueError(f"{type(model).__name__}: found no blocks, expected _no_split_modules to name their class")
    for block in found:
        block.compile(backend=backend)
    return len(found)


def release_blocks(model: Any) -> None:
    """Take the compiled code off again: answers have another length at each token, and each would compile anew."""
    for block in blocks_of(model):
        block._compiled_call_impl = None


def blocks_of(model: Any) -> list[Any]:
    """Find the blocks: transformers names the class that must not be split between devices."""
    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    names = set(base._no_split_modules or ())
    return [module for module in base.modules() if type(module).__name__ in names]


@contextmanager
def as_written(model: Any) -> Iterator[None]:
    """Compute with the code as it stands, compiled or not: for looks between steps, in lengths of their own."""
    if not any(block._compiled_call_impl for block in blocks_of(model)):
        yield  # without the seconds that it takes to import a compiler
        return
    import torch

    with torch.compiler.set_stance("force_eager"):
        yield
