"""
What the stages counted and what the rows are like ─► the facts that the report tells.

In: shards, decisions, and the rows that were written. Out: one `Facts`; such as

    steps (StepFacts("white_space", changed=12), …, StepFacts("near_duplicate", dropped=7)), splits (train 970, …)

Costly looks are taken at a part of the rows, the same part each time, and the report says how many.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from hanpuri.data.preparation.content import compared, said
from hanpuri.data.preparation.decisions import CAUSES, EXACT, LEAK, NEAR, OVERLAP, Decisions
from hanpuri.data.preparation.deduplicate import Rows, normalise, similarities
from hanpuri.data.preparation.overlap import EvaluationTexts
from hanpuri.data.preparation.shards import COUNTS, Shards, arrow, fields_of
from hanpuri.data.preparation.splitting import SPLITS, length_classes
from hanpuri.data.preparation.tokenization import token_facts
from hanpuri.data.quality.facts import (
    AugmentationFacts,
    Cluster,
    DuplicateFacts,
    Facts,
    OverlapFacts,
    ResponseMeasures,
    SourceFacts,
    SplitFacts,
    StepFacts,
    TextMeasures,
)
from hanpuri.data.quality.measures import known_responses, response_measures, text_measures
from hanpuri.data.recipe import FORMS, Form, PrepareRecipe
from hanpuri.noise.attribution import rules_used

STEPS = (
    *("replacement", "control_characters", "nfc", "white_space", "lower_case"),
    *("mask.email", "mask.resident", "mask.card", "mask.phone"),
)
FILTERS = ("replacement", "mojibake", "min_characters", "max_characters", "min_hangul", "lengths_part", "same_answers")
NUM_CLUSTERS, NUM_SAMPLES = 10, 3
MAX_PAIRS = 20_000  # whose noise is looked at
BATCH_ROWS = 10_000
# The fields whose variety says something, by the form of the rows in the end.
VARIED: dict[Form, tuple[str, ...]] = {
    "text": ("text",),
    "pairs": ("clean",),
    "instruction": ("instruction", "output"),
    "messages": ("asked", "answered"),
    "preference": ("prompt", "chosen"),
}


def gather_facts(
    recipe: PrepareRecipe, folder: Path, shards: Shards, decisions: Decisions, evaluation: EvaluationTexts
) -> Facts:
    """Gather what the report on a finished preparation tells."""
    counts: Counter[str] = Counter()
    for counted in shards.counts():
        counts.update(counted)
    rows = Written(folder, recipe.final_form)
    return Facts(
        name=recipe.name,
        form=recipe.final_form,
        seed=recipe.seed,
        sources=tuple(_sources(recipe, folder, shards)),
        steps=tuple(_steps(counts, decisions)),
        splits=tuple(_splits(recipe, rows)),
        findings=_findings(counts),
        duplicates=_duplicates(recipe, shards, decisions),
        overlaps=tuple(_overlaps(recipe, shards, decisions, evaluation)),
        leaks=_leaks(decisions),
        augmentation=_augmentation(recipe, folder, rows) if recipe.augment else None,
        tokens=token_facts(recipe, rows.read("train")) if recipe.examples else (),
        diversity=_diversity(rows),
        responses=_responses(rows),
    )


class Written:
    """The rows that were written, read as often as there is something to look at."""

    def __init__(self, folder: Path, form: Form) -> None:
        self.folder = folder
        self.form = form

    def read(self, split: str, columns: Iterable[str] | None = None) -> Iterator[dict[str, Any]]:
        """Read the rows of a split, or some columns of them."""
        with arrow().parquet.ParquetFile(self.folder / f"{split}.parquet") as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=columns and list(columns)):
                yield from map(fields_of, batch.to_pylist())

    def read_once(self, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
        """Read some columns of the training rows, of a row's noisy copies the first alone."""
        before = None
        for row in self.read("train", dict.fromkeys((*columns, "where"))):
            if row["where"] != before:
                before = row["where"]
                yield row


def _sources(recipe: PrepareRecipe, folder: Path, shards: Shards) -> Iterator[SourceFacts]:
    sizes = np.diff(shards.starts)
    for number, source in enumerate(recipe.sources):
        stem = f"{number:03}"
        done = json.loads((folder / "work" / "read" / f"{stem}.json").read_text(encoding="utf-8"))
        num_rows = sum(
            int(size) for path, size in zip(shards.paths, sizes, strict=True) if path.name.startswith(f"{stem}-")
        )
        yield SourceFacts(source.title, num_rows, done["num_faults"], tuple(done["notes"]))


def _steps(counts: Mapping[str, int], decisions: Decisions) -> Iterator[StepFacts]:
    for step in STEPS:
        if changed := counts.get(f"changed.{step}", 0):
            yield StepFacts(step, changed=changed)
    for step in FILTERS:
        if dropped := counts.get(f"dropped.{step}", 0):
            yield StepFacts(step, dropped=dropped)
    for cause in (OVERLAP, EXACT, NEAR, LEAK):
        yield StepFacts(str(CAUSES[cause]), dropped=int((decisions.cause == cause).sum()))


def _findings(counts: Mapping[str, int]) -> dict[str, int]:
    found = {name.removeprefix("found."): rows for name, rows in counts.items() if name.startswith("found.")}
    masked = "changed.mask."
    return found | {
        f"masked {name.removeprefix(masked)}": rows for name, rows in counts.items() if name.startswith(masked)
    }


def _splits(recipe: PrepareRecipe, rows: Written) -> Iterator[SplitFacts]:
    wanted = {"train": 1.0, "validation": recipe.split.validation, "test": recipe.split.test}
    preset = {source.split for source in recipe.sources}
    for split in SPLITS:
        labels: Counter[str] = Counter()
        strata: Counter[str] = Counter()
        lengths: Counter[int] = Counter()
        for row in rows.read(split, ["label", *FORMS[rows.form]]):
            length = sum(map(len, compared(said(row, rows.form), rows.form)))
            lengths[length] += 1
            if row["label"] is not None:
                labels[row["label"]] += 1
            if recipe.split.stratify:
                strata[_stratum(recipe.split.stratify, row["label"], length)] += 1
        if wanted[split] or split in preset or lengths:
            yield SplitFacts(split, lengths.total(), dict(labels), dict(strata), dict(lengths))


def _stratum(by: str, label: str | None, length: int) -> str:
    if by == "label":
        return label or "no label"
    least = 2 ** (int(length_classes(np.array([length]))[0]) - 1)
    return f"{least:,.0f} to {2 * least - 1:,.0f} characters"


def _duplicates(recipe: PrepareRecipe, shards: Shards, decisions: Decisions) -> DuplicateFacts:
    shingle = recipe.deduplicate.near.shingle if recipe.deduplicate.near else 0
    near = np.flatnonzero((decisions.cause == NEAR) | _is_keeper(decisions))
    names, sizes = np.unique(decisions.cluster[near], return_counts=True)
    order = np.lexsort((names, -sizes))[:NUM_CLUSTERS]
    members = [near[decisions.cluster[near] == names[place]] for place in order]
    return DuplicateFacts(
        exact=int((decisions.cause == EXACT).sum()),
        near=int((decisions.cause == NEAR).sum()),
        sizes=dict(Counter(sizes.tolist())),
        largest=tuple(_cluster(shards, rows, shingle) for rows in members),
    )


def _is_keeper(decisions: Decisions) -> Any:
    """Mark the rows that stand for near-duplicates which were left out."""
    keepers = np.zeros(len(decisions.of), dtype=bool)
    keepers[decisions.of[decisions.cause == NEAR]] = True
    return keepers


def _cluster(shards: Shards, rows: Rows, shingle: int) -> Cluster:
    records = list(shards.records(rows[:NUM_SAMPLES], FORMS[shards.form]))
    texts = [" ".join(compared(said(record, shards.form), shards.form)) for record in records]
    pairs = np.array([[left, right] for right in range(len(texts)) for left in range(right)])
    normal = [normalise(text) for text in texts]
    shares = similarities(pairs, lambda places: [normal[place] for place in places], shingle)
    return Cluster(len(rows), float(shares.min()), tuple(texts))


def _overlaps(
    recipe: PrepareRecipe, shards: Shards, decisions: Decisions, evaluation: EvaluationTexts
) -> Iterator[OverlapFacts]:
    files = shards.column("overlap")
    for number, settings in enumerate(recipe.evaluation):
        rows = np.flatnonzero((files == number) & (decisions.cause == OVERLAP))
        records = shards.records(rows[:NUM_SAMPLES], FORMS[shards.form])
        texts = (said(record, shards.form) for record in records)
        windows = (next(filter(None, map(evaluation.shared_window, row)), "") for row in texts)
        yield OverlapFacts(settings.path.name, len(rows), tuple(dict.fromkeys(windows)))


def _leaks(decisions: Decisions) -> dict[str, int]:
    rows = np.flatnonzero(decisions.cause == LEAK)
    kept = decisions.dealt[decisions.of[rows]]
    between = zip(decisions.dealt[rows].tolist(), kept.tolist(), strict=True)
    return dict(Counter(f"{SPLITS[own]} and {SPLITS[other]}" for own, other in between))


def _augmentation(recipe: PrepareRecipe, folder: Path, rows: Written) -> AugmentationFacts:
    missing = 0
    for path in sorted((folder / "work" / "parts").glob("*-train.parquet")):
        missing += json.loads(arrow().parquet.read_schema(path).metadata[COUNTS]).get("missing", 0)
    profiles: Counter[str] = Counter()
    strengths: Counter[str] = Counter()
    for row in rows.read("train", ["profile", "strength", "copy"]):
        if row["copy"]:
            profiles[row["profile"]] += 1
            strengths[_tenth(row["strength"])] += 1
    rules: Counter[str] = Counter()
    pairs = 0
    for row in islice(rows.read("train", ["noisy", "clean", "copy"]), MAX_PAIRS):
        if row["copy"]:
            pairs += 1
            rules.update(rules_used(row["clean"], row["noisy"]) or {})
    return AugmentationFacts(profiles.total(), missing, dict(profiles), dict(strengths), pairs, dict(rules))


def _tenth(strength: float) -> str:
    if strength == 1:
        return "1.0"
    least = int(strength * 10) / 10
    return f"{least:.1f} to {least + 0.1:.1f}"


def _diversity(rows: Written) -> dict[str, TextMeasures]:
    measures = {}
    for field in VARIED[rows.form]:
        columns = ["id", *(["messages"] if rows.form == "messages" else [field])]
        texts = (_text_of(row, field) for row in rows.read_once(columns))
        measures[field] = text_measures(texts, (row["id"] for row in rows.read_once(["id"])))
    return measures


def _text_of(row: Mapping[str, Any], field: str) -> str:
    if field in row and isinstance(row[field], str):
        return str(row[field])
    messages = [message["content"] for message in row[field if field in row else "messages"]]
    return str(messages[-1]) if field == "answered" else "\n".join(messages[:-1] if field == "asked" else messages)


def _responses(rows: Written) -> ResponseMeasures | None:
    if rows.form == "text":
        return None
    prompts = {
        "pairs": ("noisy",),
        "instruction": ("instruction", "input"),
        "messages": ("asked",),
        "preference": ("prompt", "input"),
    }
    answers = {"pairs": "clean", "instruction": "output", "messages": "answered", "preference": "chosen"}
    rejected = (row["rejected"] for row in rows.read("train", ["rejected"])) if rows.form == "preference" else None
    pairs = (
        ("\n".join(_text_of(row, field) for field in prompts[rows.form]), _text_of(row, answers[rows.form]))
        for row in rows.read("train", FORMS[rows.form])
    )
    measures = response_measures(pairs, rejected)
    if rows.form == "pairs":
        return measures  # what is asked for there, the clean text, is in one split alone
    texts: dict[str, Iterable[str]] = {
        split: (_text_of(row, answers[rows.form]) for row in rows.read(split, FORMS[rows.form])) for split in SPLITS
    }
    return replace(measures, known=known_responses(texts.pop("train"), texts))
