"""
Records taken in as shards, and rows fetched from them.

In: records. Out: Parquet files, each whole or not there, with cleaned fields, keys, and why a row is left out.
"""

import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hanpuri.data.preparation.content import content_id
from hanpuri.data.preparation.intake import take_in
from hanpuri.data.preparation.overlap import EvaluationTexts
from hanpuri.data.preparation.shards import Shards, arrow, write_table
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.records.records import Record

NOTHING = EvaluationTexts.read((), 15)
KEYS = ("said_key", "compared_key", "asked_key", "unit_key", "rank_key")


def recipe_of(form: str = "text", **more: object) -> PrepareRecipe:
    whole = {"kind": "prepare", "name": "made", "form": form, "sources": [{"path": "a.txt"}], **more}
    return PrepareRecipe.model_validate(whole)


def record(text: str = "방이 넓어요", id: str = "", line: int = 1, **more: str | None) -> Record:
    return Record({"text": text}, id, "후기", f"a.txt:{line}", more.get("group"), more.get("label"))


def taken_in(folder, *records: Record, recipe: PrepareRecipe | None = None, number: int = 0) -> list[dict]:
    path = folder / f"{number:05}.parquet"
    take_in(records, recipe or recipe_of(), NOTHING, path)
    return pyarrow.parquet.read_table(path).to_pylist()


def test_a_row_is_cleaned_and_says_where_it_is_from(tmp_path):
    [row] = taken_in(tmp_path, record(" 방이 넓어요\u200b\n", "후기-1", group="가", label="긍정"))
    for name in (*KEYS, "bands"):
        row.pop(name)
    assert row == {
        "id": "후기-1",
        "source": "후기",
        "where": "a.txt:1",
        "group": "가",
        "label": "긍정",
        "text": "방이 넓어요",
        "own_id": True,
        "cause": None,
        "num_characters": 6,
        "overlap": -1,
    }


def test_a_row_without_an_id_gets_one_made_of_what_was_read(tmp_path):
    first, second = taken_in(tmp_path, record(" 방이 넓어요"), record("방이 넓어요"))
    assert first["id"] == content_id({"text": " 방이 넓어요"}, "text") != second["id"]
    assert not first["own_id"]


def test_half_a_surrogate_pair_that_json_may_hold_is_written_as_a_lost_character(tmp_path):
    [row] = taken_in(tmp_path, record("방\ud800이", "a\ud800", group="\udc00", label="\ud800긍정"))
    found = [row[name] for name in ("text", "id", "group", "label")]
    assert found == ["방\ufffd이", "a\ufffd", "\ufffd", "\ufffd긍정"]


def test_a_row_that_is_left_out_is_kept_with_its_cause_and_counted(tmp_path):
    recipe = recipe_of(clean={"min_characters": 3, "min_hangul": 0.5})
    rows = taken_in(tmp_path, record(" ㅋ"), record("방이 넓어요 "), record("ok fine"), record("ㅎ"), recipe=recipe)
    assert [row["cause"] for row in rows] == ["min_characters", None, "min_hangul", "min_characters"]
    [counts] = Shards([tmp_path / "00000.parquet"], "text").counts()
    assert counts == {"rows": 4, "changed.white_space": 2, "dropped.min_characters": 2, "dropped.min_hangul": 1}


def test_what_is_found_is_counted_a_row_not_an_occurrence(tmp_path):
    taken_in(tmp_path, record("방\ufffd이 \ufffd요"), record("넓어요\ufffd"))
    [counts] = Shards([tmp_path / "00000.parquet"], "text").counts()
    assert counts["found.replacement"] == 2


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        # what differs in spaces, case and marks says the same, but is another row
        (("방이 넓어요", {}), ("방이  넓어요!", {}), {"said_key", "compared_key", "asked_key", "unit_key"}),
        # a group binds rows that say other things
        (("방이 넓어요", {"group": "가"}), ("조식이 있어요", {"group": "가"}), {"unit_key"}),
        (
            ("방이 넓어요", {"group": "가"}),
            ("방이 넓어요", {"group": "나"}),
            {"said_key", "compared_key", "asked_key"},
        ),
        # a group that is called as another row's text
        (("방이 넓어요", {"group": "조식"}), ("조식", {}), set()),
        (("방이 넓어요", {"label": "긍정"}), ("방이 넓어요", {"label": "부정"}), set(KEYS) - {"rank_key"}),
        (("방이 넓어요", {}), ("방이 넓어요", {}), set(KEYS)),
    ],
)
def test_keys_are_equal_where_rows_are_the_same_to_them(left, right, equal, tmp_path):
    rows = taken_in(tmp_path, *(record(text, line=line, **more) for line, (text, more) in enumerate((left, right))))
    assert {name for name in KEYS if rows[0][name] == rows[1][name]} == equal


def test_what_is_said_in_one_field_or_in_two_is_not_the_same(tmp_path):
    pairs = [Record({"noisy": noisy, "clean": clean}, "", "a", "a:1") for noisy, clean in [("ab", "c"), ("a", "bc")]]
    rows = taken_in(tmp_path, *pairs, recipe=recipe_of("pairs"))
    assert rows[0]["said_key"] != rows[1]["said_key"]


def test_no_bands_are_made_where_nothing_is_compared(tmp_path):
    [row] = taken_in(tmp_path, record(), recipe=recipe_of(deduplicate={"near": None}))
    assert "bands" not in row


# --- shards


def shards_of(folder, sizes: list[int]) -> Shards:
    line = 0
    for number, size in enumerate(sizes):
        rows = [record(f"{at}호실", f"id{at}", line=at) for at in range(line, line + size)]
        taken_in(folder, *rows, number=number)
        line += size
    return Shards(sorted(folder.glob("*.parquet")), "text")


@settings(max_examples=30)
@given(rows=st.sets(st.integers(0, 11)))
def test_rows_are_fetched_by_number_over_several_shards(rows, tmp_path_factory):
    folder = tmp_path_factory.getbasetemp() / "four-shards"
    if not folder.exists():
        folder.mkdir()
        shards_of(folder, [3, 1, 6, 2])
    shards = Shards(sorted(folder.glob("*.parquet")), "text")
    numbers = sorted(rows)
    found = shards.records(arrow().array(numbers, arrow().int64()).to_numpy(), ["text", "where"])
    assert list(found) == [{"text": f"{number}호실", "where": f"a.txt:{number}"} for number in numbers]


def test_shards_are_one_long_table(tmp_path):
    shards = shards_of(tmp_path, [3, 1, 6, 2])
    assert len(shards) == 12
    assert shards.starts == [0, 3, 4, 10, 12]
    assert shards.column("id").tolist() == [f"id{number}" for number in range(12)]
    assert shards.keys("said_key").shape == (12, 2)
    assert len(set(map(tuple, shards.keys("said_key").tolist()))) == 12
    assert [counts["rows"] for counts in shards.counts()] == [3, 1, 6, 2]


def test_keys_are_read_as_they_were_written(tmp_path):
    taken_in(tmp_path, record("방"), record("조식"), number=0)
    taken_in(tmp_path, record("방"), number=1)
    keys = Shards(sorted(tmp_path.glob("*.parquet")), "text").keys("said_key")
    assert keys[0].tolist() == keys[2].tolist() != keys[1].tolist()
    [row, _] = pyarrow.parquet.read_table(tmp_path / "00000.parquet").to_pylist()
    assert keys[0].tobytes() == row["said_key"]


def test_a_shard_is_there_whole_or_not_at_all(tmp_path):
    path = tmp_path / "00000.parquet"
    with pytest.raises(AttributeError):
        write_table(path, "no table")  # as if it were killed halfway
    assert not path.exists()
    taken_in(tmp_path, record("방"))
    whole = path.read_bytes()
    with pytest.raises(AttributeError):
        write_table(path, "no table")
    assert path.read_bytes() == whole
    taken_in(tmp_path, record("방"))
    assert path.read_bytes() == whole
    assert [file.name for file in tmp_path.glob("*.parquet")] == ["00000.parquet"]
