"""
A recipe ─► all that a run works on: tokenizer, template, rows or blocks, network, what it is scored by.

In: a PretrainRecipe or SftRecipe, checked. Out: an Assembly; of `chatbot-answers` with a model of 0.6B parameters:

    Assembly(tokenizer=Tokenizer(qwen3), template=Template(koalpaca), train=Dataset(10,468), validation=Dataset(500), …)

What a run depends on is hashed before it begins (`find_inputs`), so that nobody goes on with other data in silence.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hanpuri.data.chats import ChatTemplate, choose_template
from hanpuri.data.examples import Counts, Example, Ids, iterate_examples
from hanpuri.data.packing import pack_examples
from hanpuri.data.recipe import Form
from hanpuri.data.records.records import Record
from hanpuri.data.templates import Template, load_template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError
from hanpuri.runs import sha256_of
from hanpuri.training.feeding.corpora import read_corpora
from hanpuri.training.feeding.datasets import from_blocks, from_examples, from_packs
from hanpuri.training.feeding.mixture import make_training_blocks
from hanpuri.training.feeding.rows import draw_rows, open_training_rows, render_rows
from hanpuri.training.generation import make_answer_scorer
from hanpuri.training.loading.adapters import adapter_place, attach_adapter, check_base_name, check_new_tokens
from hanpuri.training.loading.hardware import resolve_weights
from hanpuri.training.loading.models import check_tokenizer, check_weights, load_model, model_place, read_config
from hanpuri.training.loading.scratch import make_config, make_model
from hanpuri.training.loading.vocabulary import Extension, extend_tokenizer, grow_embeddings, train_tokenizer
from hanpuri.training.loop.bits import bits_per_byte
from hanpuri.training.preflight.ahead import check_disk_early
from hanpuri.training.preflight.memory import Devices
from hanpuri.training.preflight.preflight import check_room
from hanpuri.training.processes import count_processes, first_before_others
from hanpuri.training.prompting import hash_template
from hanpuri.training.publishing.origin import fingerprint, weight_files
from hanpuri.training.recipe import PretrainRecipe, SftRecipe, TrainRecipe

Measures = Mapping[str, Callable[[Sequence[str], Sequence[str]], float]]
"""How well hypotheses match references, by name; what "well" means is the caller's to say."""
Scorer = Callable[[Any], dict[str, float]]
Report = Callable[[str, int, int | None], None]
"""Told the stage, how much of it is done, and of how much (None if that is not known)."""
PLAIN = "plain"
TOLD_EVERY = 1000  # rows
EXTENDED_FROM = 20_000_000  # characters in which words for new tokens are looked for

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """What a run's result depends on, besides its recipe."""

    files: tuple[Path, ...]
    hashes: dict[str, str]
    """Of the template, the tokenizer and the base model, as far as there are any before the run."""


@dataclass(frozen=True, eq=False)
class Assembly:
    """What a run works on."""

    model: Any
    tokenizer: Tokenizer
    template: Template | ChatTemplate
    form: Form
    train: Any
    """A Dataset, see `feeding.datasets`."""
    validation: Any
    """A Dataset; without rows if there is nothing to watch by."""
    scorers: tuple[Scorer, ...]
    packed: bool
    counts: Counts
    """What became of the rows to train on."""
    steps: int | None = None
    """Steps in all where the rows are those of the whole training, as blocks are; else the recipe tells."""


def find_inputs(recipe: TrainRecipe) -> Inputs:
    """
    Find the files that a run depends on, and see that they can be had.

    Raises:
        DataError, ModelError, RecipeError: if one of them is not there or cannot be read.
    """
    hashes = {}
    if recipe.model.path:
        place = model_place(recipe.model.path)
        tokenizer = _check_model(recipe, place)
        hashes["base"] = fingerprint(place)
    if isinstance(recipe, SftRecipe):
        template = choose_template(recipe.examples.template, tokenizer, recipe.examples.train_on)
        hashes |= {"tokenizer": hash_tokenizer(_tokenizer_place(recipe)), "template": hash_template(template)}
        return Inputs(open_training_rows(recipe.data, recipe.seed).files, hashes)
    assert isinstance(recipe, PretrainRecipe)
    if recipe.tokenizer.path:
        load_tokenizer(recipe.tokenizer.path)
        hashes["tokenizer"] = hash_tokenizer(Path(recipe.tokenizer.path))
    return Inputs(read_corpora(recipe.data).files, hashes)


def _check_model(recipe: TrainRecipe, place: Path) -> Tokenizer:
    """See that model, tokenizer and adapter are whole and belong together, without loading weights."""
    config = read_config(place)
    check_weights(place, "model")
    check_tokenizer(config, load_tokenizer(place))
    if recipe.adapter and recipe.adapter.path:
        check_base_name(str(place), adapter_place(recipe.adapter.path))
    return load_tokenizer(_tokenizer_place(recipe))


def _tokenizer_place(recipe: TrainRecipe) -> Path:
    """Find the tokenizer of what is trained on: an adapter that goes on may have come with new tokens."""
    if recipe.adapter and recipe.adapter.path:
        place = adapter_place(recipe.adapter.path)
        if (place / "tokenizer.json").is_file():
            return place
    return model_place(str(recipe.model.path))


def hash_tokenizer(folder: Path) -> str:
    """Hash what a tokenizer's folder says about texts."""
    place = folder if folder.is_file() else folder / "tokenizer.json"
    return sha256_of(place) if place.is_file() else ""


def assemble(
    recipe: TrainRecipe,
    folder: Path,
    cache: Path,
    *,
    device: str,
    measures: Measures,
    report: Report = lambda *_: None,
) -> Assembly:
    """
    Read, render, load.

    Args:
        recipe: what to train.
        folder: the run's; a new tokenizer goes there.
        cache: where the tokens of corpora are kept, for other runs too; the run's checkpoints go on the same disk.
        device: where the network goes.
        measures: by what answers are scored.
        report: is told how far the work is.

    Raises:
        DataError, ModelError, RecipeError: as the rooms that do this.
    """
    if isinstance(recipe, SftRecipe):
        check_disk_early(recipe, read_config(model_place(str(recipe.model.path))), cache.parent / recipe.name, device)
        return _assemble_rows(recipe, device=device, measures=measures, report=report)
    assert isinstance(recipe, PretrainRecipe)
    return _assemble_corpora(recipe, folder, cache, device=device)


def _assemble_rows(recipe: SftRecipe, *, device: str, measures: Measures, report: Report) -> Assembly:
    tokenizer = load_tokenizer(_tokenizer_place(recipe))
    template = choose_template(recipe.examples.template, tokenizer, recipe.examples.train_on)
    rows = open_training_rows(recipe.data, recipe.seed)
    watched = draw_rows(rows.validation(), recipe.watch.evaluation_rows, recipe.seed)
    counts = Counts()
    train = _lay_out(recipe, _counted(rows.train(), report), template, tokenizer, counts)
    if not len(train):
        raise DataError(f"{recipe.data.path}: found no row to train on", "see one: hanpuri templates show")
    model = _load(recipe, train, device)
    check_tokenizer(model.config, tokenizer)
    return Assembly(
        model=model,
        tokenizer=tokenizer,
        template=template,
        form=rows.form,
        train=train,
        validation=_lay_out(recipe, watched, template, tokenizer, Counts()),
        scorers=_answer_scorers(recipe, watched, template, tokenizer, measures),
        packed=recipe.packing,
        counts=counts,
    )


def _assemble_corpora(recipe: PretrainRecipe, folder: Path, cache: Path, *, device: str) -> Assembly:
    with first_before_others():
        tokenizer, extension = _find_tokenizer(recipe, folder / "tokenizer")
        check_disk_early(recipe, _find_config(recipe, tokenizer), cache.parent / recipe.name, device)
        settings = recipe.training
        a_step = settings.batch_size * settings.accumulation * count_processes()
        wanted = {"num_blocks": settings.steps * a_step} if settings.steps else {"epochs": settings.epochs}
        blocks = make_training_blocks(
            recipe.data,
            tokenizer,
            max_length=recipe.max_length,
            seed=recipe.seed,
            cache=cache,
            report=logger.info,
            **wanted,
        )
        train = from_blocks(blocks.train, blocks.folder / "train.arrow")
    if recipe.model.scratch:
        attention = recipe.model.attention
        model = make_model(recipe.model.scratch, recipe.model.rope_scaling, tokenizer, recipe.seed, attention=attention)
        model.to(_first_place(recipe, device))
    else:
        model = _load(recipe, train, device, extension)
        check_tokenizer(model.config, tokenizer)
    return Assembly(
        model=model,
        tokenizer=tokenizer,
        template=load_template(PLAIN),
        form="text",
        train=train,
        validation=from_examples(Example(str(number), ids, ids) for number, ids in enumerate(blocks.validation)),
        scorers=_bits_scorers(recipe, blocks.validation, tokenizer, device),
        packed=False,
        counts=Counts(examples=len(blocks.train), tokens=blocks.tokens, trained_tokens=blocks.tokens),
        steps=max(1, len(blocks.train) // a_step),
    )


def _find_config(recipe: TrainRecipe, tokenizer: Tokenizer) -> Any:
    """Give the model's configuration before there is a model."""
    if recipe.model.scratch:
        return make_config(recipe.model.scratch, recipe.model.rope_scaling, tokenizer)
    return read_config(model_place(str(recipe.model.path)))


def _bits_scorers(
    recipe: PretrainRecipe, validation: Sequence[Ids], tokenizer: Tokenizer, device: str
) -> tuple[Scorer, ...]:
    """Measure in a unit in which models with other tokenizers compare; nothing where nothing is held out."""
    if not validation:
        return ()
    size = recipe.training.batch_size
    return (lambda model: {"bits_per_byte": bits_per_byte(model, validation, tokenizer, size, device)},)


def _find_tokenizer(recipe: PretrainRecipe, folder: Path) -> tuple[Tokenizer, Extension | None]:
    """Load the tokenizer of a recipe, or make it and keep it in `folder`: what stands there already is taken."""
    settings = recipe.tokenizer
    corpora = read_corpora(recipe.data)
    if settings.train:
        made = (folder / "tokenizer.json").is_file()
        texts = corpora.texts(settings.train.characters)
        return load_tokenizer(folder) if made else train_tokenizer(settings.train, texts, folder), None
    if settings.path:
        return load_tokenizer(settings.path), None
    own = load_tokenizer(_tokenizer_place(recipe))
    if settings.extend is None:
        return own, None
    extension = extend_tokenizer(own, settings.extend, corpora.texts(EXTENDED_FROM), folder)
    return extension.tokenizer, extension


def _lay_out(
    recipe: SftRecipe,
    records: Iterable[Record],
    template: Template | ChatTemplate,
    tokenizer: Tokenizer,
    counts: Counts,
) -> Any:
    """Make the examples of rows, and packs of them if the recipe says so, as a Dataset."""
    examples = iterate_examples(render_rows(template, records), tokenizer, recipe.examples, counts)
    if recipe.packing:
        return from_packs(pack_examples(list(examples), recipe.examples.max_length))
    return from_examples(examples)


def _answer_scorers(
    recipe: SftRecipe,
    watched: Sequence[Record],
    template: Template | ChatTemplate,
    tokenizer: Tokenizer,
    measures: Measures,
) -> tuple[Scorer, ...]:
    settings = recipe.watch.generation
    if settings is None or not watched:
        return ()
    answered = draw_rows(watched, settings.rows, recipe.seed)
    chosen = {str(name): measures[name] for name in settings.measures}
    return (make_answer_scorer(answered, template, tokenizer, settings, chosen),)


def _counted(records: Iterable[Record], report: Report) -> Iterator[Record]:
    number = 0
    for number, record in enumerate(records, 1):
        if number % TOLD_EVERY == 0:
            report("rows", number, None)
        yield record
    report("rows", number, number)


def _load(recipe: TrainRecipe, train: Any, device: str, extension: Extension | None = None) -> Any:
    """Load the model to train, with rows for new tokens and an adapter beside it if the recipe says so."""
    place = model_place(str(recipe.model.path))
    weight_bytes = sum(path.stat().st_size for path in weight_files(place))
    check_room(recipe, read_config(place), train, device=device, weight_bytes=weight_bytes)
    learns_whole = recipe.adapter is None
    # Where they learn and compute decides how weights are held, not where they are put first.
    weights = resolve_weights(recipe.model, device, learns_whole=learns_whole)
    settings = recipe.model.model_copy(update={"weights": weights})
    model = load_model(settings, learns_whole=learns_whole, device=_first_place(recipe, device))
    if extension:
        grow_embeddings(model, extension)
    if recipe.adapter is None:
        return model
    if extension:
        check_new_tokens(model, recipe.adapter)
    return attach_adapter(model, recipe.adapter, recipe.seed)


def _first_place(recipe: TrainRecipe, device: str) -> str:
    """Say where weights are loaded to: those to be sharded may not fit on one device (4 bits are made on it alone)."""
    return "cpu" if Devices.launched().sharded and not recipe.model.quantization else device
