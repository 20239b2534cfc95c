"""
What a run works on, and the network that it trains.

In: a recipe and its rows. Out: an Assembly; of `chatbot-answers` with a model of 0.6B parameters:

    Assembly(tokenizer=Tokenizer(qwen3), template=Template(koalpaca), train=Dataset(10,468), validation=Dataset(500), …)
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hanpuri.data.chats import ChatTemplate
from hanpuri.data.examples import Counts
from hanpuri.data.recipe import Form
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Template
from hanpuri.data.tokenizers import Tokenizer
from hanpuri.training.feeding.rows import draw_rows
from hanpuri.training.feeding.shares import SourceShare
from hanpuri.training.generation import make_answer_scorer
from hanpuri.training.loading.adapters import attach_adapter, check_new_tokens
from hanpuri.training.loading.hardware import resolve_weights
from hanpuri.training.loading.models import load_model, model_place, read_config
from hanpuri.training.loading.vocabulary import Extension, grow_embeddings
from hanpuri.training.preflight.memory import Devices
from hanpuri.training.preflight.preflight import check_room
from hanpuri.training.publishing.origin import weight_files
from hanpuri.training.recipe import TrainRecipe

Measures = Mapping[str, Callable[[Sequence[str], Sequence[str]], float]]
"""How well hypotheses match references, by name; what "well" means is the caller's to say."""
Scorer = Callable[[Any], dict[str, float]]
Report = Callable[[str, int, int | None], None]
"""Told the stage, how much of it is done, and of how much (None if that is not known)."""
TOLD_EVERY = 1000  # rows


@dataclass(frozen=True, eq=False)
class Assembly:
    """What a run works on."""

    model: Any
    tokenizer: Tokenizer
    template: Template | ChatTemplate
    form: Form | None
    """Of the rows as the model is asked them; None where its base does not say."""
    train: Any
    """A Dataset, see `feeding.datasets`."""
    validation: Any
    """A Dataset; without rows if there is nothing to watch by."""
    scorers: tuple[Scorer, ...]
    packed: bool
    counts: Counts
    """What became of the rows to train on."""
    shares: tuple[SourceShare, ...] = ()
    """What each source of a mix has in them; of a single one, nothing."""
    notes: tuple[str, ...] = ()
    """What of the rows should be said before the run."""
    steps: int | None = None
    """Steps in all where the rows are those of the whole training, as blocks are; else the recipe tells."""
    trainer: Any = None
    """The class that takes the steps, see `loop.engine`; None is that of next tokens."""


def counted(records: Iterable[Record], report: Report) -> Iterator[Record]:
    """Tell how many rows were read, while they are."""
    number = 0
    for number, record in enumerate(records, 1):
        if number % TOLD_EVERY == 0:
            report("rows", number, None)
        yield record
    report("rows", number, number)


def load(recipe: TrainRecipe, train: Any, device: str, extension: Extension | None = None) -> Any:
    """Load the model to train, with rows for new tokens and an adapter beside it if the recipe says so."""
    place = model_place(str(recipe.model.path))
    weight_bytes = sum(path.stat().st_size for path in weight_files(place))
    check_room(recipe, read_config(place), train, device=device, weight_bytes=weight_bytes)
    learns_whole = recipe.adapter is None
    # Where they learn and compute decides how weights are held, not where they are put first.
    weights = resolve_weights(recipe.model, device, learns_whole=learns_whole)
    settings = recipe.model.model_copy(update={"weights": weights})
    model = load_model(settings, learns_whole=learns_whole, device=first_place(recipe, device))
    if extension:
        grow_embeddings(model, extension)
    if recipe.adapter is None:
        return model
    if extension:
        check_new_tokens(model, recipe.adapter)
    return attach_adapter(model, recipe.adapter, recipe.seed)


def first_place(recipe: TrainRecipe, device: str) -> str:
    """Say where weights are loaded to: those to be sharded may not fit on one device (4 bits are made on it alone)."""
    return "cpu" if Devices.launched().sharded and not recipe.model.quantization else device


def answer_scorers(
    recipe: TrainRecipe,
    watched: Sequence[Record],
    template: Template | ChatTemplate,
    tokenizer: Tokenizer,
    measures: Measures,
) -> tuple[Scorer, ...]:
    """Make what answers the validation rows and scores the answers, if the recipe asks for it."""
    settings = recipe.watch.generation
    if settings is None or not watched:
        return ()
    answered = draw_rows(watched, settings.rows, recipe.seed)
    chosen = {str(name): measures[name] for name in settings.measures}
    return (make_answer_scorer(answered, template, tokenizer, settings, chosen),)
