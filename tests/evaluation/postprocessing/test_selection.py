"""
Which steps are kept: only those that raise the score of held-out rows with significance.

In: rows whose texts have known faults, and steps that mend or make some. Out: a verdict a step.
"""

import json
from pathlib import Path

import pytest

from hanpuri.cli.postprocessing import Wanted, run
from hanpuri.engines.echo import EchoEngine
from hanpuri.errors import DataError
from hanpuri.evaluation.postprocessing.recipe import StepSettings, read_steps
from hanpuri.evaluation.postprocessing.selection import Rows, select
from hanpuri.evaluation.postprocessing.steps import Workshop
from hanpuri.evaluation.postprocessing.texts import Restored

NUM_ROWS = 120
DICTIONARY = StepSettings(step="dictionary")


def rows_of(said: str, right: str, confidence: float = 0.4) -> Rows:
    """Rows that differ by a number, so that they part into two halves."""
    texts = [Restored(f"{said} {n}", f"{said} {n}", (confidence,) * len(f"{said} {n}")) for n in range(NUM_ROWS)]
    return Rows(tuple(texts), tuple(f"{right} {n}" for n in range(NUM_ROWS)))


def tried(rows, step, tmp_path, **how):
    (tmp_path / "clean.txt").write_text("빵이 빵이 방이", encoding="utf-8")
    with Workshop() as workshop:
        given = step.model_copy(update={"texts": tmp_path / "clean.txt"})
        return select(rows, [given], workshop, **how)


def test_a_step_that_mends_is_kept(tmp_path):
    selection = tried(rows_of("뺭이", "빵이"), DICTIONARY, tmp_path)
    assert [trial.verdict for trial in selection.trials] == ["kept", "adds nothing"]
    assert [step.name for step in selection.kept] == ["dictionary"]
    assert selection.num_chosen_on + selection.num_held_out == NUM_ROWS
    first = selection.trials[0]
    assert (first.before, first.after, first.num_better, first.num_worse) == (0.5, 1.0, selection.num_held_out, 0)


def test_a_step_that_spoils_is_harmful_and_one_that_looks_at_unsure_words_only_is_not(tmp_path):
    selection = tried(rows_of("뺭이", "뺭이", confidence=0.95), DICTIONARY, tmp_path)
    told = [(trial.step.name, trial.verdict) for trial in selection.trials]
    assert told == [("dictionary", "harmful"), ("dictionary (below 0.5)", "no difference")]
    assert selection.kept == ()


def test_a_step_that_helps_a_single_row_is_not_kept(tmp_path):
    texts, references = rows_of("빵이", "빵이").texts, rows_of("빵이", "빵이").references
    rows = Rows((*texts, Restored("뺭이", "뺭이", (0.1, 0.1))), (*references, "빵이"))
    held_out = Rows(rows.texts, rows.references)
    selection = tried(held_out, DICTIONARY, tmp_path, choose_on=rows)
    assert {trial.verdict for trial in selection.trials} == {"no difference"}


def test_a_measure_of_errors_has_to_fall(tmp_path):
    selection = tried(rows_of("뺭이", "빵이"), DICTIONARY, tmp_path, measure="cer")
    assert selection.trials[0].verdict == "kept"
    assert selection.trials[0].after < selection.trials[0].before


def test_a_threshold_that_was_set_by_hand_is_taken_as_it_is(tmp_path):
    selection = tried(rows_of("뺭이", "빵이"), StepSettings(step="dictionary", below=0.2), tmp_path)
    assert [(trial.step.below, trial.verdict) for trial in selection.trials] == [(0.2, "no difference")]


def test_p_values_are_corrected_for_the_number_of_steps(tmp_path):
    alone = tried(rows_of("뺭이", "빵이"), StepSettings(step="dictionary", below=0.5), tmp_path).trials[0]
    among = tried(rows_of("뺭이", "빵이"), DICTIONARY, tmp_path).trials[0]
    assert among.difference.p_value == pytest.approx(2 * alone.difference.p_value)


@pytest.fixture
def pairs(tmp_path, monkeypatch):
    """A folder with pairs of which a dictionary can mend the noisy side."""
    monkeypatch.chdir(tmp_path)
    lines = [json.dumps({"noisy": f"뺭이 {n}", "clean": f"빵이 {n}"}, ensure_ascii=False) for n in range(NUM_ROWS)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "clean.txt").write_text("빵이\n빵이\n", encoding="utf-8")
    return tmp_path


def test_the_command_writes_what_helps_and_nothing_else(pairs, capsys):
    wanted = Wanted("echo", ("feasibility", "dictionary"), pairs / "clean.txt")
    run(pairs / "pairs.jsonl", wanted, out=pairs / "steps.yaml", kept=None, as_json=False)
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert head.endswith("held out; char_accuracy 0.5000 before")
    assert [row.split()[0] for row in rows] == ["dictionary", "dictionary", "feasibility", "feasibility"]
    assert rows[0].endswith("kept")
    assert last == f"{pairs / 'steps.yaml'} holds what helps: dictionary"
    assert [step.step for step in read_steps(pairs / "steps.yaml").steps] == ["dictionary"]


def test_the_command_tells_all_as_json(pairs, capsys):
    run(pairs / "pairs.jsonl", Wanted("echo", ("dictionary",), pairs / "clean.txt"), out=None, kept=None, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert (told["measure"], told["kept"]) == ("char_accuracy", ["dictionary"])
    assert {"step", "before", "after", "difference", "rows_better", "rows_worse", "verdict"} <= told["trials"][0].keys()


def test_an_output_that_cannot_be_written_is_refused_before_a_row_is_asked(pairs, monkeypatch):
    monkeypatch.setattr(EchoEngine, "generate", None)
    for out, message in (
        (
            "none/steps.yaml",
            "none/steps.yaml: found no folder none, expected one to write into; make it: mkdir -p none",
        ),
        (".", ".: found a folder, expected the name of a file to write; name a file in it"),
    ):
        with pytest.raises(DataError) as error:
            run(Path("pairs.jsonl"), Wanted("echo", ("feasibility",)), out=Path(out), kept=None, as_json=False)
        assert str(error.value) == message


def test_an_output_behind_a_link_is_replaced_and_the_link_stays(pairs):
    Path("steps.yaml").symlink_to("real.yaml")
    run(Path("pairs.jsonl"), Wanted("echo", ("feasibility",)), out=Path("steps.yaml"), kept=None, as_json=False)
    assert Path("steps.yaml").is_symlink()
    assert read_steps(Path("real.yaml")).steps == ()


# what is wanted, of which file; what is said
WRONG = [
    (
        Wanted("echo", choose_on=Path("pairs.jsonl")),
        "pairs.jsonl",
        "pairs.jsonl: found 120 rows that are in pairs.jsonl too, expected other pairs;"
        " leave --choose-on out: the file is then parted in two",
    ),
    (Wanted(steps=("dictonary",)), "pairs.jsonl", "there is no step dictonary; did you mean dictionary?"),
    (Wanted(measure="char_acuracy"), "pairs.jsonl", "there is no measure char_acuracy; did you mean char_accuracy?"),
    (
        Wanted(steps=("dictionary",)),
        "pairs.jsonl",
        "the step dictionary needs clean texts; name a file of them: --train clean.txt",
    ),
    (Wanted("echo"), "few.jsonl", "few.jsonl: found 1 rows, expected 20 or more; give more pairs"),
    (
        Wanted("echo"),
        "noisy.jsonl",
        "noisy.jsonl: found no clean sides, by which steps could be judged; give pairs of noisy and clean",
    ),
]


@pytest.mark.parametrize(("wanted", "name", "message"), WRONG)
def test_a_wrong_call_says_in_one_line_what_to_mend(pairs, wanted, name, message):
    Path("few.jsonl").write_text('{"noisy": "뺭이", "clean": "빵이"}\n', encoding="utf-8")
    Path("noisy.jsonl").write_text('{"noisy": "뺭이"}\n', encoding="utf-8")
    with pytest.raises(DataError) as error:
        run(Path(name), wanted, out=None, kept=None, as_json=False)
    assert str(error.value) == message
