"""
`hanpuri prefer judge`: which of two answers is better, says a model with a rubric; and how far it can be trusted.

    $ hanpuri prefer judge samples.jsonl --judge judge.yaml --labels people.jsonl --out pairs.jsonl
    pairs.jsonl: 61 of 100 pairs, judged by restoration (openai:http://127.0.0.1:8000/v1#qwen3)
      first (better scored)    52
      second (other)            9
      tie                       8
      disagreement             24
      unjudged                  7
    …
    pairs.ledger.jsonl tells what was said of each
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hanpuri.cli.drawing import kept_path, say, watching
from hanpuri.cli.recipes import find_recipe
from hanpuri.cli.texts import reader_may_leave
from hanpuri.data.files.formats import nearest
from hanpuri.errors import DataError
from hanpuri.runs.wording import printable

if TYPE_CHECKING:
    from hanpuri.evaluation.significance import Interval
    from hanpuri.preferences.judge.feedback import Feedback
    from hanpuri.preferences.judge.labelled import Labelled
    from hanpuri.preferences.judge.material import Material
    from hanpuri.preferences.judge.recipe import JudgeRecipe


@dataclass(frozen=True)
class Output:
    """Where things go, and how they are told."""

    out: Path
    ledger: Path | None = None
    report: Path | None = None
    as_json: bool = False

    @property
    def beside(self) -> Path:
        """
        The ledger's path: as it was told, or beside the pairs.

            >>> Output(Path("pairs.jsonl.gz")).beside.name
            'pairs.ledger.jsonl.gz'
        """
        name = self.out.name
        stem, dot, rest = name.partition(".jsonl")
        return self.ledger or self.out.with_name(f"{stem}.ledger{dot}{rest}")

    def check(self, *sources: Path) -> None:
        """
        See that all can be written, and apart from what is read, before the long part starts.

        Raises:
            DataError: if it cannot.
            EngineError: if the report needs a library that is not there.
        """
        from hanpuri.preferences.pairs import check_apart, check_lines_path

        check_apart(sources, (self.out, self.beside))
        for path in (self.out, self.beside):
            check_lines_path(path)
        if self.report is not None:
            from hanpuri.evaluation.report.report import check_libraries

            check_libraries()
            if self.report.exists() and not self.report.is_dir():
                raise DataError(f"{self.report}: found a file, expected a folder for the report", "give another name")


@dataclass(frozen=True)
class Asked:
    """What is judged, and by whom; as it was said on the command line."""

    path: Path
    judge: str
    overrides: tuple[str, ...] = ()
    labels: Path | None = None
    which: str = "best"
    most: int = 4
    rows: int | None = None
    writer: str | None = None
    confirmed: bool = False

    def recipe(self, out: Path) -> "JudgeRecipe":
        """Read the recipe; replies are kept beside the pairs, if it names no file for them."""
        from hanpuri.preferences.judge.recipe import read_judge

        recipe = read_judge(find_recipe(self.judge, "judge"), self.overrides)
        recipe.read_rubric()
        return recipe if recipe.cache else recipe.model_copy(update={"cache": kept_path(out)})

    def material(self) -> "Material":
        """Read the pairs; the first rows of them, if so many were asked for."""
        from dataclasses import replace

        from hanpuri.preferences.judge.material import WHICH, read_material

        chosen = next((one for one in WHICH if one == self.which), None)
        if chosen is None:
            guess = nearest(self.which, WHICH)
            mend = f"write one of {', '.join(WHICH)}" + (f"; did you mean {guess}?" if guess else "")
            raise DataError(f"--pairs is {self.which!r}", mend)
        material = read_material(self.path, which=chosen, most=self.most)
        if not material.pairs:
            found = f"{self.path}: found no two answers that differ in any of its {material.num_rows:,} rows"
            raise DataError(found, "sample more answers, or at a higher temperature")
        return material if self.rows is None else replace(material, pairs=material.pairs[: self.rows])


def run(asked: Asked, output: Output) -> None:
    """
    Judge a file, write pairs, ledger and report, print the figures.

    Raises:
        HanpuriError: if the recipe, a file or the engine is not what it should be, or no pair was decided.
    """
    from hanpuri.engines.settings import parse_engine
    from hanpuri.preferences.judge.biases import judges_itself
    from hanpuri.preferences.judge.feedback import judge_material
    from hanpuri.preferences.judge.judge import open_judge

    recipe = asked.recipe(output.out)
    itself = asked.writer is not None and judges_itself(recipe.engine, parse_engine(asked.writer))
    output.check(asked.path, *filter(None, [asked.labels]))
    material, labelled = asked.material(), _labelled(asked.labels)
    assert recipe.cache is not None
    with open_judge(recipe) as judge, watching(f"{judge.name}: {asked.path.name}", recipe.cache) as tell:
        told = {"tell": tell} if tell else {}
        feedback = judge_material(judge, material, labelled, confirmed=asked.confirmed, itself=itself, **told)
    _write(feedback, output)


def _labelled(path: Path | None) -> "Sequence[Labelled]":
    from hanpuri.preferences.judge.labelled import read_labels

    return read_labels(path) if path is not None else ()


def _write(feedback: "Feedback", output: Output) -> None:
    from hanpuri.preferences.judge.page import save_page, warnings
    from hanpuri.preferences.pairs import length_note, write_lines

    write_lines(output.beside, feedback.ledger)
    page = save_page(feedback, output.report) if output.report else None
    rows = feedback.rows
    if rows:
        write_lines(output.out, rows)
    notes = [f"{what}: {mend}" for what, mend in warnings(feedback)]
    notes += filter(None, [length_note(rows)])
    say(*notes)
    with reader_may_leave():
        if output.as_json:
            facts = {"out": str(output.out) if rows else None, "ledger": str(output.beside), **feedback.as_dict()}
            print(json.dumps(facts | {"notes": notes}, ensure_ascii=False))
        else:
            print("\n".join(_told(feedback, output, page)))
    if not rows:
        why = next((f", the first: {one.why}" for one in feedback.judged.values() if one.why), "")
        found = f"none of the {len(feedback.material.pairs):,} pairs gave a row to learn from{why}"
        raise DataError(found, f"{output.out} was not written; read {output.beside}")


def _told(feedback: "Feedback", output: Output, page: Path | None) -> Iterator[str]:
    total, written = len(feedback.material.pairs), len(feedback.rows)
    names = ("chosen", "rejected") if feedback.material.origin == "preferences" else ("better scored", "other")
    by = f"judged by {feedback.judge} ({printable(feedback.engine)})"
    yield f"{printable(str(output.out))}: {written:,} of {total:,} pairs, {by}"
    titles = {"first": f"first ({names[0]})", "second": f"second ({names[1]})"}
    for outcome, count in feedback.outcomes.items():
        yield f"  {titles.get(outcome, outcome):<22}{count:>9,}"
    if left_out := len(feedback.material.left_out):
        yield f"{left_out:,} of {feedback.material.num_rows:,} rows gave no pair: fewer than two answers differ"
    yield from _told_agreement(feedback)
    yield from _told_biases(feedback)
    cost = feedback.cost
    tokens = f"{cost.num_prompt_tokens:,} tokens read, {cost.num_tokens:,} written"
    yield f"{cost.num_replies:,} replies, {tokens}" + (f", price {cost.price:.2f}" if cost.price else "")
    if page:
        yield f"{page} tells more"
    yield f"{output.beside} tells what was said of each"


def _told_agreement(feedback: "Feedback") -> Iterator[str]:
    if (agreement := feedback.agreement) is None:
        yield "no labels of people: nobody knows how far it can be trusted"
        return
    of = f"{agreement.num_decided:,} of {agreement.num_labels:,} labels"
    yield f"people take the same side  {_interval(agreement.decided)}   where both take one, {of}"
    yield f"people say the same        {_interval(agreement.same)}   ties too; disagreements and unjudged are none"
    yield f"Cohen's kappa              {_interval(agreement.kappa)}"
    if not math.isnan(agreement.people.value):
        yield f"people among themselves    {_interval(agreement.people)}   say the same of one pair"


def _told_biases(feedback: "Feedback") -> Iterator[str]:
    position = feedback.position
    if position.num_pairs:
        yield f"the first place wins       {_interval(position.first_place)}   one half, if only answers count"
        yield f"the orders contradict      {_interval(position.contradicted)}   of {position.num_pairs:,} pairs"
    else:
        yield "no pair was read both ways round: nobody knows what the place decides"
    longer = feedback.longer[0]
    if longer.num_pairs:
        given = {"the file": feedback.longer_given, "people": feedback.longer_by_people}
        beside = "".join(f"; by {name} {one.won.value:.3f}" for name, one in given.items() if one and one.num_pairs)
        yield f"the longer answer wins     {_interval(longer.won)}   of {longer.num_pairs:,} pairs{beside}"


def _interval(score: "Interval") -> str:
    if math.isnan(score.value):
        return f"{'–':<22}"
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"
