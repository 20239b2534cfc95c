"""
A language model's folder ─► a network that gives a text one number; and a trained one read back.

In: `{path: runs/first}` of a recipe. Out: the same network with another head: one row of numbers, `score.weight`, in
the place of the matrix that writes tokens. Read at the last token of a text, which is the one that ends the answer:

    "쨰밌어요\\n재밌어요</s>"  ─►  1.84         "쨰밌어요\\n째밌어요</s>"  ─►  -0.37

transformers finds the last token as the rightmost one that is not the padding's id. Many tokenizers pad with eos, which
is just what a text ends in: the number would be read one token too early. So padding gets an id of its own here, one
that ends no text, and what a text is given does not hang on what it was padded with or what it was computed beside.
"""

from pathlib import Path
from typing import Any

from hanpuri.data.tokenizers import Tokenizer
from hanpuri.errors import ModelError
from hanpuri.training.loading.adapters import adapter_place, load_adapter, read_base
from hanpuri.training.loading.models import ADAPTER, load_model, model_place
from hanpuri.training.loading.rope import rope_scaling_of
from hanpuri.training.prompting import Prompting
from hanpuri.training.recipe import ModelSettings

SPREAD = 0.02
"""Of a new head's numbers: rewards begin near 0, and the network below learns from the first step on."""


def load_new_rewards(settings: ModelSettings, *, learns_whole: bool, device: str, seed: int, pad_id: int) -> Any:
    """
    Load a language model, and put a new head on it that gives one number.

    Args:
        settings: with a `path`.
        learns_whole: as in `load_model`.
        device: as in `load_model`.
        seed: decides the head.
        pad_id: what stands in padding, see `padding_id`.

    Raises:
        ModelError, RecipeError: as `load_model`.
    """
    import torch

    with torch.random.fork_rng(devices=[]):  # transformers draws a head of its own
        model = load_model(settings, learns_whole=learns_whole, device=device, head="new reward")
    weight = model.score.weight
    drawn = torch.empty(weight.shape, dtype=torch.float32)
    drawn.normal_(0, SPREAD, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        weight.copy_(drawn)
    return _padded(model, pad_id)


def load_rewards(path: str | Path, *, device: str, pad_id: int) -> Any:
    """
    Load a trained reward model: a run's folder, its model/, or its adapter/ with the base that it names.

    Raises:
        ModelError: if there is none, it is not whole, or it is a model of another sort.
    """
    base, adapter = find_rewards(path)
    settings = ModelSettings(path=str(base), rope_scaling=rope_scaling_of(adapter))
    model = load_model(settings, learns_whole=False, device=device, head="new reward" if adapter else "reward")
    if adapter:
        model = load_adapter(model, adapter)
    model = _padded(model, pad_id)
    return model.to(device).eval()


def find_rewards(path: str | Path) -> tuple[Path, Path | None]:
    """
    Find what a path means: a reward model's folder; or the folder of a base, and that of the adapter to lay on it.

    Raises:
        ModelError: if there is none, or it is an adapter of another sort.
    """
    place = Path(path)
    has_model = any((one / "config.json").is_file() for one in (place, place / "model"))
    if has_model or not any((one / ADAPTER).is_file() for one in (place, place / "adapter")):
        return model_place(str(path)), None
    adapter = adapter_place(path)
    base = read_base(adapter, rewards=True)
    try:
        return model_place(base), adapter
    except ModelError as error:
        raise ModelError(f"{adapter}: its base is not here: {error.message}", error.mend) from None


def padding_id(tokenizer: Tokenizer, prompting: Prompting) -> int:
    """Choose what stands in padding: the tokenizer's own sign for it; if texts end in that, a token that ends none."""
    ends = {tokenizer.eos_id, *prompting.stop_ids}
    wanted: tuple[int | None, ...] = (tokenizer.pad_id, tokenizer.unk_id, tokenizer.bos_id, *range(len(ends) + 1))
    return next(id for id in wanted if id is not None and id not in ends)


def _padded(model: Any, pad_id: int) -> Any:
    model.config.get_text_config().pad_token_id = pad_id
    return model
