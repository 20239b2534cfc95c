"""
What a step asks the model: several answers to each row, the mistakes among them, the score on held-out rows.

In: a Step, and the folder of the rounds. Out: files in the step's folder, and facts for the table:

    round-1/sample/       samples.jsonl  best.jsonl  answers.jsonl       8 answers to each row, the best ones as rows
    round-1/dpo-pairs/    mistakes.jsonl  scores.jsonl  answers.jsonl    pairs, a file a source
    round-1/dpo-score/    score.json  answers.jsonl                      the held-out score, row by row

Answers are kept in answers.jsonl as they come: a step that was killed goes on where it was.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hanpuri.engines.base import Decoding, Engine
from hanpuri.engines.cache import AnswerCache
from hanpuri.engines.opening import open_engine
from hanpuri.engines.settings import EngineName, EngineSettings
from hanpuri.errors import DataError
from hanpuri.evaluation.evaluate import evaluate, usual_decoding
from hanpuri.evaluation.rows import RowSet, read_rows
from hanpuri.preferences.mistakes import mine_mistakes
from hanpuri.preferences.pairs import Gathered, LeftOut, write_lines
from hanpuri.preferences.rewards import open_rewards
from hanpuri.preferences.sampling import (
    Sampled,
    gains_of,
    keep_best,
    pairs_from_scores,
    read_samples,
    sample,
    sample_line,
)
from hanpuri.rounds.outcome import LIKELIEST
from hanpuri.rounds.plan import BEST_FILE, HELD_OUT, ROWS_FILE, SAMPLES_FILE, SCORE_FILE, Step
from hanpuri.rounds.recipe import RoundsRecipe
from hanpuri.rounds.rows import deal
from hanpuri.rounds.stages import (
    JUDGE,
    MISTAKES,
    PROMPTS,
    SAMPLES,
    SCORES,
    DrawSettings,
    PairStage,
    SampleStage,
    reward_stage,
)
from hanpuri.runs.files import write_json
from hanpuri.training.recipe import RewardTermSettings

ANSWERS_FILE = "answers.jsonl"
SEEDS_APART = 1000
"""Between rounds: answers of one round are drawn with seeds that no other has."""
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Asking:
    """What all steps that ask have in common."""

    recipe: RoundsRecipe
    folder: Path
    """Of the rounds."""
    device: str | None
    on_progress: Progress

    def held_out(self, step: Step) -> dict[str, Any]:
        """Score a model on the held-out rows, and keep the answers to read."""
        row_set = read_rows(self.folder / HELD_OUT / ROWS_FILE)
        told = self.recipe.held_out
        how = {"max_new_tokens": told.max_new_tokens, "batch_size": told.batch_size}
        with self._engine(step, "transformers") as engine:
            found = evaluate(
                engine,
                row_set,
                _decoding(row_set, how),
                cache=self._cache(step),
                unchanged_clean=False,
                seed=self.recipe.seed,
                on_progress=self.on_progress,
            )
        measure = self.recipe.measure
        if measure not in found.scores:
            raise DataError(f"{told.path}: {measure} finds nothing to count in the answers", "choose another measure")
        write_json(
            self.folder / step.name / SCORE_FILE,
            {
                "measure": measure,
                "scores": {name: [one.value, one.low, one.high] for name, one in found.scores.items()},
                "tally": found.tallies[measure].tolist(),
                "rows": [
                    {"id": row.id, "asked": row.asked, "reference": row.reference, "answer": answer.text}
                    for row, answer in zip(row_set.rows, found.answers, strict=True)
                ],
            },
        )
        return {"rows": len(row_set.rows), "failed": found.num_failed, measure: found.scores[measure].value}

    def samples(self, step: Step) -> dict[str, Any]:
        """Draw several answers to each row, score them, and keep the best."""
        stage, folder = step.stage, self.folder / step.name
        assert isinstance(stage, SampleStage)
        row_set = self._prompts(step, stage.asked)
        with open_rewards(self._terms(step, stage)) as rewards, self._engine(step, stage.engine) as engine:
            drawn: list[Sampled] = list(
                sample(
                    engine,
                    row_set.rows,
                    count=stage.samples,
                    decoding=self._drawn(step, row_set, stage),
                    rewards=rewards,
                    cache=self._cache(step),
                    on_progress=self.on_progress,
                    greedy=stage.temperature > 0,  # what the model says anyway stands for election too
                )
            )
        best = keep_best(drawn, threshold=stage.above, min_gain=stage.min_gain)
        write_lines(folder / SAMPLES_FILE, (sample_line(one) for one in drawn))
        write_lines(folder / BEST_FILE, best.rows)
        gains = gains_of(drawn, threshold=stage.above)
        told = {
            name: gain.best.value for gain in gains.by_k for name in [best_of(gain.k)] if gain.k in (1, stage.samples)
        }
        greedy = {} if gains.greedy is None else {LIKELIEST: gains.greedy.value}
        return {**_facts(best), "tokens": gains.num_tokens, "alike": gains.num_alike, **told, **greedy}

    def pairs(self, step: Step) -> dict[str, Any]:
        """Make the pairs that a stage learns from, a file a source."""
        stage, folder = step.stage, self.folder / step.name
        assert isinstance(stage, PairStage)
        made: dict[str, Gathered] = {}
        if MISTAKES in stage.mix:
            made[MISTAKES] = self._mistakes(step, stage)
        if SCORES in stage.mix:
            made[SCORES] = pairs_from_scores(read_samples(step.reads[SAMPLES]), margin=stage.margin)
        if JUDGE in stage.mix:
            made[JUDGE] = self._judged(step, stage)
        for name, gathered in made.items():
            write_lines(folder / f"{name}.jsonl", gathered.rows)
        return {name: _facts(gathered) for name, gathered in made.items()}

    def _mistakes(self, step: Step, stage: PairStage) -> Gathered:
        row_set = self._prompts(step, stage.mistakes.asked)
        with self._engine(step, "transformers") as engine:
            return mine_mistakes(
                engine,
                row_set.rows,
                decoding=self._drawn(step, row_set, stage.mistakes),
                count=stage.mistakes.samples,
                cache=self._cache(step),
                on_progress=self.on_progress,
            )

    def _judged(self, step: Step, stage: PairStage) -> Gathered:
        """Ask a judge about the samples; ties, disagreements and what it could not judge give no pair."""
        from hanpuri.preferences.judge import open_judge
        from hanpuri.preferences.judge.feedback import judge_material
        from hanpuri.preferences.judge.material import read_material
        from hanpuri.preferences.judge.recipe import read_judge

        assert stage.judge is not None
        folder = self.folder / step.name
        recipe = read_judge(stage.judge)
        kept = recipe.model_copy(update={"cache": recipe.cache or folder / ANSWERS_FILE})
        material = read_material(step.reads[SAMPLES])
        with open_judge(kept) as judge:
            found = judge_material(judge, material, tell=self.on_progress)
        write_lines(folder / "judge-ledger.jsonl", found.ledger)
        rest = {outcome: count for outcome, count in found.outcomes.items() if outcome not in ("first", "second")}
        out = [LeftOut("", why) for why, count in rest.items() for _ in range(count)]
        return Gathered(len(material.pairs), tuple(found.rows), tuple(out))

    def _prompts(self, step: Step, asked: int | None) -> RowSet:
        """Read rows of the round, named so that samples are the same to the byte wherever the folder lies."""
        path = step.reads[PROMPTS]
        row_set = read_rows(path)
        places = list(range(len(row_set.rows)))
        if asked is not None and asked < len(places):
            # The rows stand in the order of their file, which may be one of lengths or labels.
            places = sorted(deal(len(places), asked, 1, self.recipe.seed))
        name = path.relative_to(self.folder)
        chosen = (row_set.rows[place] for place in places)
        rows = (replace(row, where=f"{name}:{row.where.rpartition(':')[2]}") for row in chosen)
        return replace(row_set, rows=tuple(rows))

    def _terms(self, step: Step, stage: SampleStage) -> list[RewardTermSettings]:
        return [resolved(term, self.recipe, self.folder, step.round) for term in stage.score]

    def _drawn(self, step: Step, row_set: RowSet, draw: DrawSettings) -> Decoding:
        names = ("temperature", "top_p", "top_k", "max_new_tokens", "batch_size")
        seed = (self.recipe.seed * SEEDS_APART + step.round) * SEEDS_APART
        return _decoding(row_set, {**{name: getattr(draw, name) for name in names}, "seed": seed})

    def _cache(self, step: Step) -> AnswerCache:
        return AnswerCache(self.folder / step.name / ANSWERS_FILE)

    @contextmanager
    def _engine(self, step: Step, engine: EngineName) -> Iterator[Engine]:
        model = self.recipe.model
        settings = EngineSettings(
            engine=engine,
            model=step.policy.place,
            device=self.device,
            precision=model.precision,
            four_bit=model.quantization is not None and engine == "transformers",
        )
        with open_engine(settings) as opened:
            yield opened


def best_of(count: int) -> str:
    """
    Name the score of the best of some answers.

        >>> best_of(1), best_of(8)
        ('one answer', 'best of 8')
    """
    return "one answer" if count == 1 else f"best of {count}"


def resolved(term: RewardTermSettings, recipe: RoundsRecipe, folder: Path, number: int) -> RewardTermSettings:
    """Put the folder of the round's reward model in the place of its name."""
    stage = reward_stage(term, recipe.stages)
    if stage is None:
        return term
    return term.model_copy(update={"model": str(folder / f"round-{number}" / stage.title), "name": term.title})


def _decoding(row_set: RowSet, how: dict[str, Any]) -> Decoding:
    """Choose as evaluation does what the recipe does not say."""
    if how["max_new_tokens"]:
        return Decoding(**how)
    usual = usual_decoding(row_set)
    return Decoding(**{**how, "max_new_tokens": usual.max_new_tokens, "by_text": usual.by_text})


def _facts(gathered: Gathered) -> dict[str, Any]:
    kinds = {"kinds": dict(gathered.kinds)} if gathered.kinds else {}
    return {"asked": gathered.num_rows, "rows": len(gathered.rows), **kinds, "left out": gathered.counts}
