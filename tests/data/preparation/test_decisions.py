"""
What becomes of each row: left out as a repetition, an overlap or a leak, or dealt to a split.

In: rows of several sources, some of which a source puts into a split. Out: the split of each, or why it has none.
"""

import itertools
import json
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.preparation.content import asked, said
from hanpuri.data.preparation.decisions import CAUSES, Decisions, decide
from hanpuri.data.preparation.deduplicate import normalise
from hanpuri.data.preparation.intake import take_in
from hanpuri.data.preparation.overlap import EvaluationTexts
from hanpuri.data.preparation.prepare import prepare
from hanpuri.data.preparation.shards import Shards
from hanpuri.data.preparation.splitting import SPLITS
from hanpuri.data.recipe import FORMS, PrepareRecipe
from hanpuri.data.records.records import Reading
from hanpuri.errors import DataError

HALVES = {"validation": 0.3, "test": 0.3}
LONG = "역에서 내려 골목을 따라 십 분쯤 걸으면 작은 마당이 있는 한옥이 나오고 주인이 차를 내어 줍니다"
NEARLY = LONG.replace("줍니다", "줘요")
OTHER = "수영장은 여름에만 열고 수건은 일 층에서 빌릴 수 있으며 아이들은 어른과 함께 들어가야 합니다"


class Fate(NamedTuple):
    """What became of a row."""

    fields: dict[str, Any]
    group: str | None
    where: str
    split: str | None
    cause: str | None
    of: str | None


def recipe_of(folder: Path, form: str, *sources: tuple[Sequence[dict], dict], **more: object) -> PrepareRecipe:
    """Write the rows of each source to a file; what is said of the source comes with them."""
    described = []
    for number, (rows, said_of_it) in enumerate(sources):
        name = str(said_of_it.get("name", f"s{number}"))
        path = folder / f"{name}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        described.append({"path": str(path), "name": name, **said_of_it})
    whole = {"kind": "prepare", "name": "made", "form": form, "sources": described, "split": HALVES, **more}
    return PrepareRecipe.model_validate(whole)


def fates(folder: Path, recipe: PrepareRecipe, batch_rows: int = 3) -> list[Fate]:
    """Take rows in, a few a shard, and decide about them."""
    evaluation = EvaluationTexts.read(recipe.evaluation, recipe.deduplicate.window)
    paths = []
    for number, source in enumerate(recipe.sources):
        records = list(Reading(source, recipe.form).records())
        for begin in range(0, len(records), batch_rows):
            paths.append(folder / f"{number:03}-{begin:05}.parquet")
            take_in(records[begin : begin + batch_rows], recipe, evaluation, paths[-1])
    shards = Shards(paths, recipe.form)
    decisions = decide(shards, recipe)
    where = [Path(place).name for place in shards.column("where")]
    rows = itertools.chain.from_iterable(shards.table(number).to_pylist() for number in range(len(paths)))
    return [
        Fate(
            {field: row[field] for field in FORMS[recipe.form]},
            row["group"],
            place,
            SPLITS[split] if split >= 0 else None,
            row["cause"] if CAUSES[cause] == "cleaning" else CAUSES[cause],
            where[of] if of >= 0 else None,
        )
        for row, place, split, cause, of in zip(
            rows, where, decisions.split, decisions.cause, decisions.of.tolist(), strict=True
        )
    ]


def texts(*lines: str, **more: str) -> list[dict]:
    return [{"text": line, **more} for line in lines]


# --- any rows

SAME = [OTHER, f"  {OTHER}!!", "조식은 일곱 시", "조식은 일곱 시.", "ㅋ"]
NEAR = [LONG, NEARLY, f"정말로 {LONG}", f"{NEARLY} 또 올게요", f"그래도 {NEARLY} 꼭 다시"]
TEXT = st.sampled_from(SAME + NEAR)
ABOUT = {"group": st.sampled_from(["가", "나", ""]), "label": st.sampled_from(["긍정", "부정", ""])}
ROWS = {
    "text": st.fixed_dictionaries({"text": TEXT, **ABOUT}),
    "pairs": st.fixed_dictionaries({"noisy": TEXT, "clean": TEXT, **ABOUT}),
    "instruction": st.fixed_dictionaries({"instruction": TEXT, "output": TEXT, **ABOUT}),
}
FIXED = ({}, {"split": "train"}, {"split": "validation"}, {"split": "test"})


@st.composite
def preparations(draw: st.DrawFn) -> tuple[str, list[tuple[list[dict], dict]], dict]:
    form = draw(st.sampled_from(sorted(ROWS)))
    kinds = draw(st.lists(st.sampled_from(FIXED), min_size=1, max_size=3))
    row = ROWS[form] if draw(st.booleans()) else ROWS[form].map(lambda row: row | {"group": ""})
    sources = [
        (draw(st.lists(row, min_size=1, max_size=7)), {"name": f"s{number}", **kind})
        for number, kind in enumerate(kinds)
    ]
    deduplicate = {"exact": draw(st.booleans()), "near": draw(st.sampled_from([None, {"similarity": 0.6}]))}
    stratify = draw(st.sampled_from([None, "length", "label"]))
    return (
        form,
        sources,
        {
            "deduplicate": deduplicate,
            "split": {**HALVES, "stratify": stratify},
            "clean": {"min_characters": 2},
            "seed": draw(st.integers(0, 99)),
        },
    )


def decided(form: str, sources: list[tuple[list[dict], dict]], more: dict, batch_rows: int = 3) -> list[Fate]:
    with tempfile.TemporaryDirectory() as folder:
        return fates(Path(folder), recipe_of(Path(folder), form, *sources, **more), batch_rows)


@settings(max_examples=30)
@given(preparations())
def test_nothing_that_is_asked_stands_in_two_splits_and_no_group_does(case):
    form, _, more = case
    rows = decided(*case)
    stay = [row for row in rows if row.split]
    questions = {(tuple(map(normalise, asked(said(row.fields, form), form))), row.split) for row in stay}
    assert len(questions) == len({question for question, _ in questions})
    groups = {(row.group, row.split) for row in stay if row.group}
    assert len(groups) == len({group for group, _ in groups})
    if more["deduplicate"]["exact"]:
        everything = [tuple(map(normalise, said(row.fields, form))) for row in stay]
        assert len(everything) == len(set(everything))


@settings(max_examples=30)
@given(preparations())
def test_each_row_has_a_split_or_a_cause_and_a_row_of_a_fixed_source_no_other_split_than_its_own(case):
    _, sources, more = case
    rows = decided(*case)
    where = {row.where: row for row in rows}
    for row in rows:
        assert (row.split is None) == (row.cause is not None)
        assert row.cause in (None, "min_characters", "exact_duplicate", "near_duplicate", "other_split")
        assert (row.of is None) == (row.cause in (None, "min_characters"))
        if row.of:
            assert where[row.of].cause != "min_characters"
            assert row.of != row.where
        own = next(kind.get("split") for _, kind in sources if row.where.startswith(f"{kind['name']}.jsonl:"))
        assert own is None or row.split in (None, own)
    assert more["deduplicate"]["near"] or all(row.cause != "near_duplicate" for row in rows)


@settings(max_examples=20)
@given(preparations(), st.randoms(), st.integers(1, 9))
def test_what_stays_does_not_hang_on_the_order_of_files_and_rows_nor_on_the_size_of_shards(case, rng, batch_rows):
    form, sources, more = case

    def outcome(rows: list[Fate]) -> Counter[str]:
        return Counter(json.dumps([row.fields, row.group, row.split, row.cause]) for row in rows)

    before = outcome(decided(form, sources, more))
    for rows, _ in sources:
        rng.shuffle(rows)
    rng.shuffle(sources)
    assert outcome(decided(form, sources, more, batch_rows)) == before


# --- one case after the other


def test_a_row_that_a_source_puts_into_the_test_stays_before_its_repetitions_elsewhere(tmp_path):
    recipe = recipe_of(
        tmp_path,
        "text",
        (texts(f"{OTHER}!", LONG), {}),
        (texts(OTHER, NEARLY), {"split": "test"}),
        (texts(OTHER, LONG), {"split": "train"}),
    )
    told = [(row.split, row.cause, row.of) for row in fates(tmp_path, recipe)]
    assert told == [
        (None, "exact_duplicate", "s1.jsonl:1"),
        (None, "exact_duplicate", "s2.jsonl:2"),  # one that is put into training stays before one that is not
        ("test", None, None),
        ("test", None, None),
        (None, "exact_duplicate", "s1.jsonl:1"),
        (None, "near_duplicate", "s1.jsonl:2"),
    ]


@pytest.mark.parametrize("seed", range(5))
def test_answers_to_one_question_stay_together(seed, tmp_path):
    rows = [{"instruction": f"{number}호실은 어디인가요?", "output": answer}
            for number in range(9) for answer in (OTHER, "일 층이에요", "저도 몰라요")]  # fmt: skip
    recipe = recipe_of(tmp_path, "instruction", (rows, {}), deduplicate={"near": None}, seed=seed)
    made = fates(tmp_path, recipe)
    assert all(row.split for row in made)
    assert len({(row.fields["instruction"], row.split) for row in made}) == 9


def test_an_answer_to_a_question_of_the_test_is_left_out_of_training(tmp_path):
    question = "체크인은 몇 시인가요?"
    recipe = recipe_of(
        tmp_path,
        "instruction",
        ([{"instruction": question, "output": "세 시입니다"}], {"split": "train"}),
        ([{"instruction": f"{question} ", "output": "네 시입니다"}], {"split": "validation"}),
        ([{"instruction": question.replace(" ", ""), "output": "다섯 시입니다"}], {"split": "test"}),
    )
    told = [(row.split, row.cause, row.of) for row in fates(tmp_path, recipe)]
    assert told == [(None, "other_split", "s2.jsonl:1")] * 2 + [("test", None, None)]


def test_conversations_in_which_nobody_asks_are_not_all_dealt_one_way(tmp_path):
    answers = (f"오늘의 말 {number}: {OTHER[number:]}" for number in range(40))
    rows = [{"messages": [{"role": "assistant", "content": answer}]} for answer in answers]
    recipe = recipe_of(tmp_path, "messages", (rows, {}), deduplicate={"near": None})
    assert {row.split for row in fates(tmp_path, recipe)} == set(SPLITS)


@pytest.mark.parametrize("seed", range(5))
def test_noisy_versions_of_one_text_all_stay_in_one_split(seed, tmp_path):
    rows = [{"noisy": f"{noise}{clean}", "clean": clean} for clean in (LONG, OTHER) for noise in ("짂", "됐", "갊")]
    rows.append({"noisy": "뛟", "clean": NEARLY})
    made = fates(tmp_path, recipe_of(tmp_path, "pairs", (rows, {}), seed=seed))
    kept = {(row.fields["clean"], row.split) for row in made if row.split}
    assert len(kept) == 2
    # of two texts that are nearly the same, one goes with all its versions
    assert Counter(row.cause for row in made)["near_duplicate"] in (1, 3)
    assert sum(row.split is not None for row in made) in (4, 6)


@pytest.mark.parametrize("seed", range(5))
def test_rows_of_a_group_follow_those_that_a_source_puts_into_training(seed, tmp_path):
    fixed = texts("조식이 있어요", group="가")
    free = texts("방이 넓어요", "침대가 커요", "창이 있어요", group="가")
    recipe = recipe_of(tmp_path, "text", (fixed, {"split": "train"}), (free, {}), seed=seed)
    assert [row.split for row in fates(tmp_path, recipe)] == ["train"] * 4


def test_rows_of_a_group_of_the_test_are_left_out_of_training(tmp_path):
    recipe = recipe_of(
        tmp_path,
        "text",
        (texts("조식이 있어요", group="가"), {"split": "test"}),
        (texts("방이 넓어요", group="가") + texts("침대가 커요", group="나"), {"split": "train"}),
    )
    told = [(row.split, row.cause, row.of) for row in fates(tmp_path, recipe)]
    assert told == [("test", None, None), (None, "other_split", "s0.jsonl:1"), ("train", None, None)]


def test_overlaps_are_left_out_but_not_of_a_source_that_is_put_into_validation_or_test(tmp_path):
    (tmp_path / "held_out.txt").write_text(f"{OTHER}\n", encoding="utf-8")
    sources = [(texts(OTHER), {"name": str(split), "split": split}) for split in (None, *SPLITS)]
    for source in sources:
        with tempfile.TemporaryDirectory() as folder:
            recipe = recipe_of(tmp_path, "text", source, evaluation=[{"path": str(tmp_path / "held_out.txt")}])
            [row] = fates(Path(folder), recipe)
            stays = source[1]["split"] in ("validation", "test")
            assert (row.split, row.cause) == ((source[1]["split"], None) if stays else (None, "evaluation_overlap"))


def test_a_question_of_an_evaluation_file_is_found_with_any_answer(tmp_path):
    (tmp_path / "held_out.txt").write_text("열쇠는 어디 있나요?\n", encoding="utf-8")
    rows = [{"instruction": "열쇠는 어디 있나요", "output": OTHER}, {"instruction": "방이 넓나요", "output": OTHER}]
    recipe = recipe_of(tmp_path, "instruction", (rows, {}), evaluation=[{"path": str(tmp_path / "held_out.txt")}])
    assert [row.cause for row in fates(tmp_path, recipe)] == ["evaluation_overlap", None]


def test_a_row_left_out_before_is_not_what_others_are_left_out_for(tmp_path):
    rows = texts("ㅋ!", "ㅋ!!", "ㅋ!!!")
    made = fates(tmp_path, recipe_of(tmp_path, "text", (rows, {}), clean={"min_characters": 3}))
    assert Counter(row.cause for row in made) == {"min_characters": 1, "exact_duplicate": 1, None: 1}
    assert made[0].cause == "min_characters"


def test_repetitions_stay_if_the_recipe_says_so_but_in_one_split(tmp_path):
    rows = texts(*[OTHER, LONG, NEARLY] * 5)
    made = fates(tmp_path, recipe_of(tmp_path, "text", (rows, {}), deduplicate={"exact": False, "near": None}))
    assert [row.cause for row in made] == [None] * 15
    assert len({(row.fields["text"], row.split) for row in made}) == 3


# --- ids


def with_ids(*ids: str | None) -> list[dict]:
    return [{"text": f"{number}호실은 넓어요", "번호": id} for number, id in enumerate(ids)]


def told(folder: Path, *sources: tuple[list[dict], dict]) -> str:
    with pytest.raises(DataError) as caught:
        fates(folder, recipe_of(folder, "text", *sources))
    return str(caught.value).replace(f"{folder}/", "")


MAPPED = {"fields": {"id": "번호"}}


def test_an_id_that_stands_twice_is_refused_with_both_places(tmp_path):
    assert told(tmp_path, (with_ids("a", "b", "a"), MAPPED)) == (
        "s0.jsonl:3: found the id 'a', which s0.jsonl:1 has too; "
        "give each row an id of its own, or leave `id` out of `fields`"
    )


def test_ids_must_differ_across_files_too_and_all_of_them_are_told(tmp_path):
    assert told(tmp_path, (with_ids("a", "b"), MAPPED), (with_ids("b", "c", "b", "a"), MAPPED)) == (
        "s1.jsonl:1: found the id 'b', which s0.jsonl:2 has too; "
        "s1.jsonl:3: found the id 'b', which s0.jsonl:2 has too; "
        "s1.jsonl:4: found the id 'a', which s0.jsonl:1 has too; "
        "give each row an id of its own, or leave `id` out of `fields`"
    )


def test_of_very_many_ids_that_stand_twice_twenty_are_told_and_the_others_counted(tmp_path):
    listed = "; ".join(f"s0.jsonl:{line}: found the id 'a', which s0.jsonl:1 has too" for line in range(2, 22))
    assert told(tmp_path, (with_ids(*"a" * 26), MAPPED)) == (
        f"{listed}; and 5 more; give each row an id of its own, or leave `id` out of `fields`"
    )


def test_rows_without_an_id_of_their_own_may_be_repeated(tmp_path):
    rows = [{"text": OTHER, "번호": None}, {"text": OTHER, "번호": None}, {"text": LONG, "번호": "a"}]
    made = fates(tmp_path, recipe_of(tmp_path, "text", (rows, MAPPED)))
    assert Counter(row.cause for row in made) == {None: 2, "exact_duplicate": 1}
    rows = [{"text": OTHER}, {"text": OTHER}]
    assert len(fates(tmp_path, recipe_of(tmp_path, "text", (rows, {})))) == 2


# --- the table, and the whole road


def test_decisions_are_the_same_when_they_are_read_again(tmp_path):
    recipe = recipe_of(tmp_path, "text", (texts(OTHER, LONG, NEARLY, OTHER), {}))
    fates(tmp_path, recipe)
    decisions = decide(Shards(sorted(tmp_path.glob("*.parquet")), "text"), recipe)
    decisions.write(tmp_path / "decisions")
    again = Decisions.read(tmp_path / "decisions")
    for name, values in vars(decisions).items():
        assert vars(again)[name].tolist() == values.tolist()
        assert vars(again)[name].dtype == values.dtype


@pytest.mark.parametrize(
    ("lines", "share", "cause"),
    [
        (["ㅋ", "ㅋ", "방이 넓어요"], 0.0, "min_characters"),
        (["방이 넓어요", "침대가 커요"], 0.98, "split"),
    ],
)
def test_what_kept_most_rows_from_training_is_named(lines, share, cause, tmp_path):
    recipe = recipe_of(
        tmp_path, "text", (texts(*lines), {}), clean={"min_characters": 4}, split={"validation": 0, "test": share}
    )
    fates(tmp_path, recipe)
    decisions = decide(Shards(sorted(tmp_path.glob("*.parquet")), "text"), recipe)
    assert decisions.most_frequent_cause() == {"min_characters": "cleaning"}.get(cause, cause)


def test_a_whole_preparation_gives_the_same_rows_whatever_their_order(tmp_path):
    rows = texts(*SAME, *NEAR, *(f"{number}호실은 {OTHER[number:]}" for number in range(40)))
    found: list[dict[str, list[str]]] = []
    for name, some in (("forward", rows), ("backward", rows[::-1])):
        folder = tmp_path / name
        folder.mkdir()
        prepare(recipe_of(folder, "text", (some, {})), folder / "made", processes=1, batch_rows=7)
        tables = {split: pyarrow.parquet.read_table(folder / "made" / f"{split}.parquet") for split in SPLITS}
        found.append({split: sorted(table["text"].to_pylist()) for split, table in tables.items()})
    assert found[0] == found[1]
    assert all(found[0].values())
