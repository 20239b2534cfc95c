"""
Questions, what their answers are rewarded with, and the network.

In: a GrpoRecipe or an RlooRecipe, and its rewards, open. Out: an Assembly, whose trainer knows the questions.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hanpuri.data.examples import Counts
from hanpuri.data.recipe import Form
from hanpuri.data.tokenizers import Tokenizer, load_tokenizer
from hanpuri.errors import DataError
from hanpuri.training.assembling.assembly import Assembly, Measures, Report, counted, load
from hanpuri.training.assembling.inputs import prompting_of, tokenizer_place
from hanpuri.training.decoding import Decoding, Ends
from hanpuri.training.feeding.rows import TrainingRows, draw_rows, open_training_rows
from hanpuri.training.feeding.shares import SourceTally
from hanpuri.training.generation import own_stops
from hanpuri.training.loading.models import check_tokenizer, model_place, read_config
from hanpuri.training.loading.rope import reach
from hanpuri.training.processes import count_processes
from hanpuri.training.prompting import Prompting
from hanpuri.training.recipe import GenerationSettings, GrpoRecipe, ReinforcementRecipe
from hanpuri.training.reinforcement.questions import (
    Question,
    Questions,
    Room,
    as_tables,
    check_ends,
    make_questions,
)
from hanpuri.training.reinforcement.reward import Reward
from hanpuri.training.reinforcement.samples import SampleScorer


def assemble_prompts(
    recipe: ReinforcementRecipe,
    folder: Path,
    *,
    device: str,
    measures: Measures,
    rewards: Sequence[Reward],
    report: Report,
) -> Assembly:
    """
    Ask the rows, and load the network.

    Raises:
        DataError: if rows cannot be asked or lack what a reward needs, or are fewer than one step takes.
        RecipeError: if no token ends the answers.
    """
    tokenizer = load_tokenizer(tokenizer_place(recipe))
    prompting = prompting_of(recipe, tokenizer)
    check_ends(prompting)
    rows = open_training_rows(recipe.data, recipe.seed, recipe.examples.faults)
    prompting = replace(prompting, form=prompting.form or _form_of(rows))
    counts = Counts()
    tally = SourceTally(rows.mixture)
    made = _ask(recipe, rows, prompting, tokenizer, rewards, counts, report)
    asked = list(tally.passing(made, lambda question: (len(question.ids), 0), lambda question: question.name))
    counts.leave_out(rows.left_out())
    watching = _watching(recipe)
    watched = _watch(recipe, rows, watching, prompting, tokenizer, rewards)
    train = as_tables(asked, prompting, tokenizer)
    counts.tokens = sum(len(question.ids) for question in asked)
    model = load(recipe, train, device)
    check_tokenizer(model.config, tokenizer)
    ends = Ends(frozenset({*prompting.stop_ids, *own_stops(model)}), (), prompting.before)
    questions = Questions(asked, prompting, tokenizer, ends, rewards)
    return Assembly(
        model=model,
        tokenizer=tokenizer,
        template=prompting.template,
        form=prompting.form or _form_of(rows),
        train=train,
        validation=as_tables(watched, prompting, tokenizer),
        scorers=_scorers(watched, questions, watching, measures),
        packed=False,
        counts=counts,
        shares=tally.shares(),
        notes=tally.notes(),
        steps=_steps(recipe, len(asked)),
        trainer=_trainer(recipe, questions),
    )


def _form_of(rows: TrainingRows) -> Form:
    """Say how rows are asked: a preference is an instruction, with two answers."""
    return "instruction" if rows.form == "preference" else rows.form


def _ask(
    recipe: ReinforcementRecipe,
    rows: TrainingRows,
    prompting: Prompting,
    tokenizer: Tokenizer,
    rewards: Sequence[Reward],
    counts: Counts,
    report: Report,
) -> list[Question]:
    room = _room(recipe, recipe.sampling.max_new_tokens)
    records = counted(rows.train(), report)
    asked = list(make_questions(records, prompting, tokenizer, room, rewards, counts.dropped))
    counts.examples = len(asked)
    counts.rows = len(asked) + counts.dropped.total()
    if len(asked) < (needed := _at_once(recipe) // recipe.sampling.answers):
        found = f"{recipe.data.title}: found {len(asked):,} prompts, and one step takes {needed:,}"
        raise DataError(found, "give more rows, or lower training.batch_size or accumulation")
    return asked


def _watch(
    recipe: ReinforcementRecipe,
    rows: TrainingRows,
    watching: GenerationSettings,
    prompting: Prompting,
    tokenizer: Tokenizer,
    rewards: Sequence[Reward],
) -> list[Question]:
    drawn = draw_rows(rows.validation(), watching.rows, recipe.seed)
    room = _room(recipe, watching.max_new_tokens)
    return list(make_questions(drawn, prompting, tokenizer, room, rewards, Counts().dropped))


def _watching(recipe: ReinforcementRecipe) -> GenerationSettings:
    """Say what is watched: answers are, also where the recipe does not ask for it."""
    longest = recipe.sampling.max_new_tokens
    return recipe.watch.generation or GenerationSettings(max_new_tokens=longest)


def _room(recipe: ReinforcementRecipe, max_new_tokens: int) -> Room:
    positions = reach(read_config(model_place(str(recipe.model.path))))
    return Room(recipe.examples, max_new_tokens, positions)


def _scorers(
    watched: Sequence[Question], questions: Questions, watching: GenerationSettings, measures: Measures
) -> tuple[SampleScorer, ...]:
    if not watched:
        return ()
    decoding = Decoding(max_new_tokens=watching.max_new_tokens, batch_size=watching.batch_size)
    chosen = {str(name): measures[name] for name in watching.measures}
    return (SampleScorer(watched, questions, decoding, chosen),)


def _at_once(recipe: ReinforcementRecipe) -> int:
    """Count the answers of one step, over all processes."""
    return recipe.training.batch_size * recipe.training.accumulation * count_processes()


def _steps(recipe: ReinforcementRecipe, num_prompts: int) -> int | None:
    """Count the steps of the epochs that a recipe asks for: a step takes few prompts and many answers."""
    if recipe.training.epochs is None:
        return None
    own = recipe.grpo if isinstance(recipe, GrpoRecipe) else recipe.rloo  # type: ignore[attr-defined]
    an_epoch = num_prompts * recipe.sampling.answers // _at_once(recipe) * own.iterations
    return max(1, math.ceil(recipe.training.epochs * an_epoch))


def _trainer(recipe: ReinforcementRecipe, questions: Questions) -> Any:
    from hanpuri.training.loading.models import quiet_loading

    with quiet_loading():
        from hanpuri.training.reinforcement.loops import GrpoLoop, LoopOf, RlooLoop
    return LoopOf(GrpoLoop if isinstance(recipe, GrpoRecipe) else RlooLoop, questions)
