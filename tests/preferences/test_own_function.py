"""A reward of one's own: a function in a file, and what is said where it fails."""

import numpy as np
import pytest

from hanpuri.errors import RecipeError
from hanpuri.preferences.own_function import load_function

MEND = "mend the function: it gets rows and answers, and gives a number for each answer"
ROWS = [{"noisy": "쨰밌어요", "clean": "재밌어요"}, {"noisy": "또 갈꼐욥", "clean": "또 갈게요"}]
ANSWERS = ["재밌어요", "또 가요"]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a file, and give how a recipe names a function of it."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="kind"):
        (tmp_path / "mine.py").write_text(text, encoding="utf-8")
        return f"mine.py:{name}"

    return write


def test_a_function_gets_rows_and_answers_and_its_numbers_are_taken(written, tmp_path):
    (tmp_path / "beside.py").write_text("BONUS = 2", encoding="utf-8")
    score = load_function(
        written(
            "import beside\n"
            "def kind(rows, answers):\n"
            "    rows.clear()\n"  # what it does to its copy is nobody else's affair
            "    return [beside.BONUS, None]\n"
            "if __name__ == '__main__': raise SystemExit('run as a program')\n"
        )
    )
    assert score(ROWS, ANSWERS) == [2.0, None]
    assert len(ROWS) == 2


def test_arrays_and_their_numbers_are_numbers_too(written):
    score = load_function(written("import numpy\ndef kind(rows, answers): return numpy.array([0.5, 1], 'float32')"))
    assert score(ROWS, ANSWERS) == [0.5, 1.0]
    assert not isinstance(score(ROWS, ANSWERS)[0], np.generic)


def test_what_a_function_prints_is_kept_out_of_the_results(written, capsys):
    score = load_function(written("print('loaded')\ndef kind(rows, answers):\n    print('asked')\n    return [1, 2]\n"))
    assert score(ROWS, ANSWERS) == [1.0, 2.0]
    assert capsys.readouterr() == ("", "loaded\nasked\n")


# a file, and what is said of it before anything is trained
@pytest.mark.parametrize(
    ("text", "name", "fault"),
    [
        ("", "kind", "mine.py: found no function kind, expected one; write `def kind(rows, answers):`"),
        ("kind = 3", "kind", "mine.py: found no function kind, expected one; write `def kind(rows, answers):`"),
        ("x = 1\nkind(", "kind", "mine.py: SyntaxError ('(' was never closed) at line 2; mend the file"),
        (
            "import not_there_at_all",
            "kind",
            "mine.py: ModuleNotFoundError (No module named 'not_there_at_all') at line 1; mend the file",
        ),
        ("raise SystemExit", "kind", "mine.py: SystemExit at line 1; mend the file"),
        ("", "1st", "found the function 'mine.py:1st', expected a file and a name; write e.g. kind.py:kindness"),
    ],
)
def test_a_file_without_the_function_is_said_in_one_line(written, text, name, fault):
    with pytest.raises(RecipeError) as error:
        load_function(written(text, name))
    assert str(error.value) == fault


def test_a_file_that_is_not_there_is_said_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        RecipeError, match=r"^nowhere\.py: found no such file, expected one with a function; see rewards"
    ):
        load_function("nowhere.py:kind")


# what a function does with two answers, and what is said of it
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("return [1 / (len(row['clean']) - 5) for row in rows]",
         "ZeroDivisionError (float division by zero) at line 2, at the row that asks '또 갈꼐욥'"),
        ("return [1]", "found 1 values for 2 answers"),
        ("return '11'", "found the text '11', expected a list of 2 numbers"),
        ("return 0.5", "found a value of float, expected a list of 2 numbers"),
        ("pass", "found a value of NoneType, expected a list of 2 numbers"),
        ("return [1, 'good']", "found the text 'good', expected a number, at the row that asks '또 갈꼐욥'"),
        ("raise SystemExit(3)", "SystemExit (3) at line 2, at the row that asks '쨰밌어요'"),
        ("return [1, 10 ** 400]", "found a number too large to add up, at the row that asks '또 갈꼐욥'"),
        ("return [[1], 1]", "found a value of list, expected a number, at the row that asks '쨰밌어요'"),
    ],
)  # fmt: skip
def test_a_function_that_fails_is_named_with_file_function_and_row(written, body, fault):
    score = load_function(written(f"def kind(rows, answers):\n    {body}\n"))
    with pytest.raises(RecipeError) as error:
        score(ROWS, ANSWERS)
    said = str(error.value).replace("(division by zero)", "(float division by zero)")  # as later Pythons say it
    assert said == f"mine.py:kind: {fault}; {MEND}"
