"""
Running text ─► blocks of tokens, a tokenizer if there is none yet, and the network.

In: a PretrainRecipe. Out: an Assembly.
"""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hanpuri.data.examples import Counts, Example, Ids
from hanpuri.data.templates import load_template
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.training.assembling.assembly import Assembly, Scorer, first_place, load
from hanpuri.training.assembling.inputs import tokenizer_place
from hanpuri.training.feeding.corpora import read_corpora
from hanpuri.training.feeding.datasets import from_blocks, from_examples
from hanpuri.training.feeding.mixture import Blocks, make_training_blocks
from hanpuri.training.feeding.shares import SourceShare
from hanpuri.training.loading.models import check_tokenizer, model_place, read_config
from hanpuri.training.loading.scratch import make_config, make_model
from hanpuri.training.loading.vocabulary import Extension, extend_tokenizer, train_tokenizer
from hanpuri.training.loop.bits import bits_per_byte
from hanpuri.training.preflight.ahead import check_disk_early
from hanpuri.training.processes import count_processes, first_before_others
from hanpuri.training.recipe import PretrainRecipe, TrainRecipe

PLAIN = "plain"
EXTENDED_FROM = 20_000_000  # characters in which words for new tokens are looked for

logger = logging.getLogger(__name__)


def assemble_corpora(recipe: PretrainRecipe, folder: Path, cache: Path, *, device: str) -> Assembly:
    """Encode the corpora, and make or load the network."""
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
        model.to(first_place(recipe, device))
    else:
        model = load(recipe, train, device, extension)
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
        shares=_shares(recipe, blocks),
        steps=max(1, len(blocks.train) // a_step),
    )


def _shares(recipe: PretrainRecipe, blocks: Blocks) -> tuple[SourceShare, ...]:
    """Say what each of several corpora has in the blocks; documents in the place of rows."""
    if len(blocks.shares) == 1:
        return ()
    return tuple(
        SourceShare(
            path=share.path,
            asked=asked,
            given=share.used / max(1, blocks.tokens),
            there=share.documents,
            held_out=share.held_out,
            rows=round(share.documents * share.epochs),
            copies=round(share.documents * max(0.0, share.epochs - 1)),
            tokens=share.used,
            trained_tokens=share.used,
        )
        for share, asked in zip(blocks.shares, read_corpora(recipe.data).shares, strict=True)
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
    own = load_tokenizer(tokenizer_place(recipe))
    if settings.extend is None:
        return own, None
    extension = extend_tokenizer(own, settings.extend, corpora.texts(EXTENDED_FROM), folder)
    return extension.tokenizer, extension
