"""A step is done again when its settings or what it reads changed, or what it made is gone; else it stands."""

import pytest

from hanpuri.errors import DataError
from hanpuri.rounds.ledger import Inputs, Ledger

STEP = "round-1/sft"
INPUTS = Inputs({"training": {"steps": 4}}, {"prompts": "9f2c", "model": "71ab"})


@pytest.fixture
def done(tmp_path):
    """A step that was done, and made one file."""
    ledger = Ledger(tmp_path)
    made = tmp_path / STEP / "best.jsonl"
    made.parent.mkdir(parents=True)
    made.write_text("{}\n", encoding="utf-8")
    ledger.finish(STEP, INPUTS, (made,), 1.5, {"rows": 4})
    return ledger


def test_what_is_unchanged_stands(done):
    look = done.look(STEP, INPUTS)
    assert (look.state, look.entry.seconds, look.entry.facts) == ("done", 1.5, {"rows": 4})


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (Inputs({"training": {"steps": 5}}, INPUTS.reads), "training.steps 4 → 5"),
        (Inputs(INPUTS.settings, {**INPUTS.reads, "model": "0000"}), "model changed"),
        # a source more, as behind another round
        (Inputs(INPUTS.settings, {**INPUTS.reads, "earlier": "1111"}), "earlier changed"),
        (
            Inputs({"training": {"steps": 5}, "a": 1, "b": 2, "c": 3}, INPUTS.reads),
            "training.steps 4 → 5, a (not there) → 1, b (not there) → 2, and 1 more",
        ),
    ],
)
def test_what_changed_is_said(done, inputs, why):
    look = done.look(STEP, inputs)
    assert (look.state, look.why) == ("changed", why)


def test_what_was_begun_goes_on(tmp_path):
    ledger = Ledger(tmp_path)
    assert ledger.look(STEP, INPUTS).state == "new"
    ledger.begin(STEP, INPUTS, 3.0)
    assert (ledger.look(STEP, INPUTS).state, ledger.read(STEP).seconds) == ("begun", 3.0)


def test_what_somebody_changed_or_removed_is_made_again(done, tmp_path):
    (tmp_path / STEP / "best.jsonl").write_text('{"mine": 1}\n', encoding="utf-8")
    look = done.look(STEP, INPUTS)
    assert (look.state, look.why) == ("changed", "round-1/sft/best.jsonl is not what was made")


def test_a_folder_that_was_moved_is_known_again(done, tmp_path):
    moved = tmp_path / "elsewhere"
    (tmp_path / "round-1").rename(tmp_path / "kept")
    moved.mkdir()
    (tmp_path / "kept").rename(moved / "round-1")
    assert Ledger(moved).look(STEP, INPUTS).state == "done"


def test_what_is_replaced_is_set_aside_with_a_number_and_answers_stay(done, tmp_path):
    (tmp_path / STEP / "answers.jsonl").write_text("kept\n", encoding="utf-8")
    assert done.set_aside(STEP, "answers.jsonl") == tmp_path / "replaced" / "round-1-sft-1"
    assert [path.name for path in (tmp_path / STEP).iterdir()] == ["answers.jsonl"]
    assert [path.name for path in (tmp_path / "replaced/round-1-sft-1").iterdir()] == ["best.jsonl"]
    assert done.look(STEP, INPUTS).state == "new"
    assert done.set_aside(STEP) == tmp_path / "replaced" / "round-1-sft-2"
    assert done.set_aside(STEP) is None


@pytest.mark.parametrize("content", ["", "[]", '{"other": 1}'])
def test_a_file_that_is_no_step_is_named(tmp_path, content):
    ledger = Ledger(tmp_path)
    ledger.path(STEP).parent.mkdir(parents=True)
    ledger.path(STEP).write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as refused:
        ledger.look(STEP, INPUTS)
    message = f"{tmp_path}/round-1/steps/sft.json cannot be read as a step of rounds"
    assert str(refused.value) == f"{message}; remove it; the step is done anew"
