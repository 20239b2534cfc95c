"""A preparation from end to end: what is in the folder, and that a stopped one ends as if it had never been stopped."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet
import pytest

from hanpuri.data.preparation.prepare import prepare
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.data.records.forms import open_rows
from hanpuri.errors import DataError, HanpuriError, RecipeError
from hanpuri.noise.obfuscate import obfuscate

WORDS = (
    *(
        "방이",
        "화장실이",
        "조식이",
        "침대가",
        "사장님이",
        "위치가",
        "뷰가",
        "가격이",
        "정말",
        "아주",
        "조금",
        "너무",
        "참",
    ),
    *("꽤", "넓어요", "깨끗해요", "친절해요", "좋았어요", "별로예요", "아쉬워요"),
)
RESULTS = ("train.parquet", "validation.parquet", "test.parquet", "ledger.parquet", "report.html", "report.json")
ROOT = Path(__file__).parents[3]


def sentences(number: int, seed: int = 0) -> list[str]:
    """Made-up reviews, a few of them alike."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(3, 9))) for _ in range(number)]


def write_lines(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def write_rows(path: Path, rows: list[dict]) -> Path:
    return write_lines(path, [json.dumps(row, ensure_ascii=False) for row in rows])


def recipe_of(*paths: Path, form: str = "text", **settings: object) -> PrepareRecipe:
    sources = [{"path": str(path), **settings.pop("source", {})} for path in paths]
    return PrepareRecipe.model_validate(
        {"kind": "prepare", "name": "made", "form": form, "sources": sources, **settings}
    )


def rows_of(folder: Path, split: str) -> list[dict]:
    return pyarrow.parquet.read_table(folder / f"{split}.parquet").to_pylist()


def digests(folder: Path) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in RESULTS}


def told(recipe: PrepareRecipe, folder: Path) -> str:
    with pytest.raises(HanpuriError) as caught:
        prepare(recipe, folder, processes=1)
    return str(caught.value)


def test_every_row_that_was_read_is_in_a_split_or_in_the_ledger_with_its_cause(tmp_path):
    lines = [*sentences(300), "ㅋ", *sentences(5), "방이  넓어요 깨끗해요!!!"]
    recipe = recipe_of(write_lines(tmp_path / "a.txt", lines), clean={"min_characters": 2}, split={"test": 0.1})
    prepare(recipe, tmp_path / "made", processes=1)
    ledger = pyarrow.parquet.read_table(tmp_path / "made" / "ledger.parquet").to_pylist()
    assert [entry["where"] for entry in ledger] == [f"{tmp_path / 'a.txt'}:{line}" for line in range(1, len(lines) + 1)]
    assert all((entry["split"] is None) == (entry["cause"] is not None) for entry in ledger)
    for split in ("train", "validation", "test"):
        kept = [entry["id"] for entry in ledger if entry["split"] == split]
        assert [row["id"] for row in rows_of(tmp_path / "made", split)] == kept
    assert ledger[300]["cause"] == "min_characters"
    assert {entry["cause"] for entry in ledger[301:306]} <= {"exact_duplicate", "near_duplicate"}


def test_texts_become_pairs_that_can_be_made_again(tmp_path):
    recipe = recipe_of(
        write_lines(tmp_path / "a.txt", [*sentences(60), "ㅋㅋ"]),
        augment={"copies": 3, "mix": [{"profile": "airbnb"}, {"profile": "hand", "strength": [0.4, 0.9]}]},
        split={"validation": 0.3, "test": 0},
    )
    prepare(recipe, tmp_path / "made", processes=1)
    train, validation = rows_of(tmp_path / "made", "train"), rows_of(tmp_path / "made", "validation")
    for row in train + validation:
        settings = {"profile": row["profile"], "strength": row["strength"], "ks_x_1001": not row["any_syllable"]}
        assert obfuscate(row["clean"], seed=row["seed"], **settings).noisy == row["noisy"]
    assert len({(row["id"], row["noisy"]) for row in train}) == len(train)
    copies = {(row["clean"] == "ㅋㅋ", row["copy"]) for row in validation}
    assert copies <= {(False, 1), (True, 0)}  # the one without a noisy form stands as it is
    assert [row["copy"] for row in train + validation if row["clean"] == "ㅋㅋ"] == [0]
    assert {row["id"] for row in train}.isdisjoint(row["id"] for row in validation)


def test_what_stands_in_an_evaluation_file_stands_in_no_split(tmp_path):
    secret = "이 방은 창문이 커서 아침마다 햇살이 가득 들어와 참 좋았어요"
    hidden = f"후기: {secret.replace(' ', '  ')}!! 또 올게요"
    write_rows(tmp_path / "held_out.jsonl", [{"clean": secret}])
    recipe = recipe_of(
        write_lines(tmp_path / "a.txt", [*sentences(50), hidden]),
        evaluation=[{"path": str(tmp_path / "held_out.jsonl"), "field": "clean"}],
    )
    report = json.loads(prepare(recipe, tmp_path / "made", processes=1).read_text(encoding="utf-8"))
    texts = [row["text"] for split in ("train", "validation", "test") for row in rows_of(tmp_path / "made", split)]
    assert hidden not in texts
    assert report["overlaps"] == [
        {"file": "held_out.jsonl", "rows": 1, "windows": ["이방은창문이커서아침마다햇살이"]},
    ]


def test_preferences_are_prepared_whatever_their_prompt_is(tmp_path, tokenizer_folder):
    texts = sentences(60)
    rows: list[dict] = [
        {
            "prompt": text,
            "input": "바다" * (number % 2),
            "chosen": f"{text} 네.",
            "rejected": f"{text} 글쎄요." * (number % 3),
        }
        for number, text in enumerate(texts[:40])
    ]
    before = [{"role": "user", "content": "안녕?"}, {"role": "assistant", "content": "네!"}]
    rows += [
        {"prompt": [*before, {"role": "user", "content": f"{text} "}], "chosen": "그래요", "rejected": "글쎄요"}
        for text in texts[40:]
    ]
    rows += [
        rows[0],
        {"prompt": "왜?", "chosen": "네. ", "rejected": "네."},
        {**rows[1], "rejected": rows[1]["chosen"]},
    ]
    recipe = recipe_of(
        write_rows(tmp_path / "pairs.jsonl", rows),
        form="preference",
        source={"faults": "drop"},
        deduplicate={"near": None},
        split={"validation": 0.2, "test": 0},
        examples={"template": "chat", "tokenizers": [str(tokenizer_folder("bytes", "chatml"))]},
    )
    report = json.loads(prepare(recipe, tmp_path / "made", processes=1).read_text(encoding="utf-8"))
    ledger = pyarrow.parquet.read_table(tmp_path / "made" / "ledger.parquet").to_pylist()
    causes = [entry["cause"] for entry in ledger[60:]]
    assert causes == ["exact_duplicate", "same_answers"]
    assert report["sources"][0]["faults"] == 1
    assert {"step": "same_answers", "changed": 0, "dropped": 1} in report["steps"]
    assert report["tokens"][0]["lengths"]
    kept = [row for split in ("train", "validation") for row in open_prepared(tmp_path / "made", split)]
    wanted = [{"input": "", **row} for row in rows[:60]]
    for row in wanted[40:]:
        row["prompt"] = [*before, {"role": "user", "content": row["prompt"][-1]["content"].strip()}]
    assert sorted(kept, key=_sorted) == sorted(wanted, key=_sorted)


def _sorted(row: dict) -> str:
    return json.dumps(row, sort_keys=True)


def open_prepared(folder: Path, split: str) -> list[dict]:
    """Read the rows of a split as training does."""
    return [record.fields for record in open_rows(folder / f"{split}.parquet", "preference").records()]


def test_the_result_hangs_neither_on_the_number_of_processes_nor_on_the_order_of_the_files(tmp_path):
    first, second = (
        write_lines(tmp_path / "a.txt", sentences(200)),
        write_lines(tmp_path / "b.txt", sentences(200, seed=1)),
    )
    prepare(recipe_of(first, second), tmp_path / "one", processes=1, batch_rows=90)
    prepare(recipe_of(first, second), tmp_path / "two", processes=2, batch_rows=90)
    prepare(recipe_of(second, first), tmp_path / "turned", processes=1)
    assert digests(tmp_path / "one") == digests(tmp_path / "two")
    for split in ("train", "validation", "test"):
        one, turned = ({row["text"] for row in rows_of(tmp_path / name, split)} for name in ("one", "turned"))
        assert one == turned


def test_added_rows_move_no_row_to_another_split(tmp_path):
    before, after = sentences(150), [*sentences(100, seed=2), *sentences(150)]
    prepare(recipe_of(write_lines(tmp_path / "a.txt", before), split={"test": 0.2}), tmp_path / "before", processes=1)
    prepare(recipe_of(write_lines(tmp_path / "b.txt", after), split={"test": 0.2}), tmp_path / "after", processes=1)
    place = {
        name: {
            row["text"]: split for split in ("train", "validation", "test") for row in rows_of(tmp_path / name, split)
        }
        for name in ("before", "after")
    }
    common = place["before"].keys() & place["after"].keys()
    assert len(common) > 100
    assert all(place["before"][text] == place["after"][text] for text in common)


RUN = """
import sys
from pathlib import Path
from hanpuri.data.preparation.prepare import prepare
from hanpuri.data.recipe import PrepareRecipe
from hanpuri.recipe import read_recipe
if __name__ == "__main__":
    recipe = read_recipe(Path(sys.argv[1]), {"prepare": PrepareRecipe})
    prepare(recipe, Path(sys.argv[2]), processes=int(sys.argv[3]), batch_rows=100)
"""


def start(desk: Path, folder: str) -> subprocess.Popen:
    command = [sys.executable, "run.py", "made.yaml", folder, "1"]
    return subprocess.Popen(command, cwd=desk, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"})


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A recipe, its texts, and in `whole` what comes of them where nothing is stopped."""
    desk = tmp_path_factory.mktemp("desk")
    write_lines(desk / "a.txt", sentences(600))
    (desk / "run.py").write_text(RUN, encoding="utf-8")
    (desk / "made.yaml").write_text(
        "kind: prepare\nname: made\nform: text\nsources: [{path: a.txt}]\naugment: {copies: 4}\n", encoding="utf-8"
    )
    assert start(desk, "whole").wait(120) == 0
    return desk


@pytest.mark.parametrize("until", ["read/000-00001.parquet", "read/000.json", "parts/00001-test.parquet"])
def test_a_killed_preparation_goes_on_and_ends_in_the_same_bytes(desk, tmp_path, until):
    stopped = tmp_path / "stopped"
    killed = start(desk, str(stopped))
    deadline = time.monotonic() + 60
    while not (stopped / "work" / until).exists() and time.monotonic() < deadline:
        assert killed.poll() is None, "it ended before it could be killed"
        time.sleep(0.001)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert not (stopped / "report.json").exists()
    assert start(desk, str(stopped)).wait(120) == 0
    assert digests(stopped) == digests(desk / "whole")
    assert not (stopped / "work").exists()


def test_a_finished_preparation_is_left_as_it_is(tmp_path):
    recipe = recipe_of(write_lines(tmp_path / "a.txt", sentences(50)))
    prepare(recipe, tmp_path / "made", processes=1)
    before = (tmp_path / "made" / "train.parquet").stat().st_mtime_ns
    prepare(recipe, tmp_path / "made", processes=1)
    assert (tmp_path / "made" / "train.parquet").stat().st_mtime_ns == before


def test_a_folder_of_another_recipe_or_of_other_data_is_refused(tmp_path):
    path = write_lines(tmp_path / "a.txt", sentences(50))
    prepare(recipe_of(path), tmp_path / "made", processes=1)
    mend = "give the run another name, or remove that folder"
    assert told(recipe_of(path, seed=1), tmp_path / "made") == (
        f"{tmp_path / 'made'} holds a run of another recipe: seed 0 → 1; {mend}"
    )
    write_lines(path, sentences(51))
    assert told(recipe_of(path), tmp_path / "made") == (
        f"{tmp_path / 'made'} holds a run on other data: {path} changed since"
        "; give the run another name, or remove that folder"
    )


def test_what_was_left_half_done_is_thrown_away_once_the_recipe_or_a_file_is_mended(tmp_path):
    path = write_rows(tmp_path / "a.jsonl", [{"text": text} for text in sentences(30)] + [{"text": 5}])
    assert "a.jsonl:31: found a number" in told(recipe_of(path), tmp_path / "made")
    prepare(recipe_of(path, source={"faults": "drop"}), tmp_path / "dropped", processes=1)
    prepare(recipe_of(path, source={"faults": "drop"}), tmp_path / "made", processes=1)  # another recipe
    assert digests(tmp_path / "made") == digests(tmp_path / "dropped")
    told(recipe_of(path), tmp_path / "again")
    write_rows(path, [{"text": text} for text in sentences(30)])  # another file
    prepare(recipe_of(path), tmp_path / "again", processes=1)
    assert (tmp_path / "again" / "report.json").exists()


# --- what is wrong, word for word


def test_a_recipe_that_leaves_nothing_to_train_on_is_refused(tmp_path):
    recipe = recipe_of(write_lines(tmp_path / "a.txt", sentences(20)), clean={"min_characters": 1000})
    assert told(recipe, tmp_path / "made") == (
        "made: no row is left to train on, of 20 that were read"
        "; cleaning took most of them: see that step in the recipe"
    )


def test_ids_that_stand_twice_are_all_told(tmp_path):
    rows = [{"id": id, "text": text} for id, text in zip([1, 2, 1, 3, 2], sentences(5), strict=True)]
    path = write_rows(tmp_path / "a.jsonl", rows)
    assert told(recipe_of(path, source={"fields": {"id": "id"}}), tmp_path / "made") == (
        f"{path}:3: found the id '1', which {path}:1 has too; {path}:5: found the id '2', which {path}:2 has too"
        "; give each row an id of its own, or leave `id` out of `fields`"
    )


def test_a_template_that_does_not_fit_is_said_before_the_work(tmp_path):
    (tmp_path / "odd.yaml").write_text("prompt_no_input: '{question}'\n", encoding="utf-8")
    path = write_rows(tmp_path / "a.jsonl", [{"instruction": "네?", "output": "네."}])
    recipe = recipe_of(path, form="instruction", examples={"template": str(tmp_path / "odd.yaml")})
    with pytest.raises(RecipeError):
        prepare(recipe, tmp_path / "made", processes=1)
    assert not (tmp_path / "made").exists()


def test_a_tokenizer_that_is_not_there_is_said_before_the_work(tmp_path):
    recipe = recipe_of(
        write_lines(tmp_path / "a.txt", sentences(20)), examples={"tokenizers": [str(tmp_path / "nowhere")]}
    )
    assert "nowhere" in told(recipe, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_faults_of_a_file_are_told_and_nothing_is_half_prepared(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("id,document\n1,좋아요\n2\n3,\n", encoding="utf-8")
    recipe = recipe_of(path, source={"fields": {"text": "document"}})
    with pytest.raises(DataError, match=r"found 2 faulty rows: line 3: .*; line 4: "):
        prepare(recipe, tmp_path / "made", processes=1)
    assert not (tmp_path / "made" / "train.parquet").exists()


def test_an_evaluation_file_that_is_not_there_is_told(tmp_path):
    path = write_lines(tmp_path / "a.txt", sentences(20))
    recipe = recipe_of(path, evaluation=[{"path": str(tmp_path / "held_out.jsonl")}])
    assert told(recipe, tmp_path / "made") == f"{tmp_path / 'held_out.jsonl'}: found no such file; check the path"
