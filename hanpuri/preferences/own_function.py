"""
A reward of your own: a function in a file of Python.

In: "kind.py:kindness", and in the file

    def kindness(rows, answers):
        return [float(answer.endswith("요.")) for answer in answers]

`rows` are the rows as the file has them ({"noisy": …, "clean": …}), `answers` one text for each. Out: a number for each
answer; None (or nan) where there is none to give. What goes wrong in it is told in one line, with file, line and row;
what it prints goes to standard error, as standard output is the command's own.
"""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from numbers import Real
from pathlib import Path
from types import ModuleType
from typing import Any

from hanpuri.data.templates import Fields
from hanpuri.engines.questions import question_of
from hanpuri.errors import DataError, RecipeError
from hanpuri.training.reinforcement.reward import Score

SHOWN = 30  # characters of a question in an error
MEND = "mend the function: it gets rows and answers, and gives a number for each answer"

Function = Callable[[Sequence[Fields], Sequence[str]], Any]


def load_function(told: str) -> Score:
    """
    Load a function of a file, such as "kind.py:kindness"; the file is not run as a program.

        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "kind.py")
        ...     _ = path.write_text("def kindness(rows, answers): return [len(answer) for answer in answers]")
        ...     load_function(f"{path}:kindness")([{"noisy": "쨰밌"}], ["재밌어"])
        [3.0]

    Raises:
        RecipeError: if there is no such file or function, or the file cannot be run.
    """
    place, _, name = told.rpartition(":")
    if not place or not name.isidentifier():
        raise RecipeError(f"found the function {told!r}, expected a file and a name", "write e.g. kind.py:kindness")
    function = getattr(_load(Path(place)), name, None)
    if not callable(function):
        found = f"{place}: found no function {name}, expected one"
        raise RecipeError(found, f"write `def {name}(rows, answers):`")
    return _Called(told, Path(place), function)


class _Called:
    """A function with its faults in one line."""

    def __init__(self, told: str, path: Path, function: Function) -> None:
        self._told, self._path, self._function = told, path, function

    def __call__(self, rows: Sequence[Fields], answers: Sequence[str]) -> list[float | None]:
        """
        Ask for the numbers of answers.

        Raises:
            RecipeError: if the function raises, or gives what are not as many numbers.
        """
        try:
            with redirect_stdout(sys.stderr):
                given = self._function([dict(row) for row in rows], list(answers))
        except (Exception, SystemExit) as error:
            raise RecipeError(f"{self._told}: {_describe(error, self._path)}{self._row(rows, answers)}", MEND) from None
        if isinstance(given, str | bytes) or not hasattr(given, "__len__") or not hasattr(given, "__getitem__"):
            raise RecipeError(f"{self._told}: found {_kind(given)}, expected a list of {len(rows)} numbers", MEND)
        if len(given) != len(rows):
            raise RecipeError(f"{self._told}: found {len(given)} values for {len(rows)} answers", MEND)
        return [self._number(given[place], row) for place, row in enumerate(rows)]

    def _number(self, value: object, row: Fields) -> float | None:
        if value is None:
            return None
        if not isinstance(value, Real):
            raise RecipeError(f"{self._told}: found {_kind(value)}, expected a number{_of(row)}", MEND)
        try:
            return float(value)
        except OverflowError:
            raise RecipeError(f"{self._told}: found a number too large to add up{_of(row)}", MEND) from None

    def _row(self, rows: Sequence[Fields], answers: Sequence[str]) -> str:
        """Find the row at which a function fails, by asking it one by one."""
        for row, answer in zip(rows, answers, strict=True):
            try:
                with redirect_stdout(None):  # it has printed this before
                    self._function([dict(row)], [answer])
            except (Exception, SystemExit):
                return _of(row)
        return ""


def _load(path: Path) -> ModuleType:
    if not path.is_file():
        raise RecipeError(f"{path}: found no such file, expected one with a function", "see rewards: function")
    spec = importlib.util.spec_from_file_location(f"hanpuri_own_{path.stem}", path.resolve())
    if spec is None or spec.loader is None:
        raise RecipeError(f"{path}: found no file of Python, expected one", "give it a name that ends in .py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # as when the file is run, so that it finds what lies beside it
    try:
        with redirect_stdout(sys.stderr):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise RecipeError(f"{path}: {_describe(error, path)}", "mend the file") from None
    finally:
        sys.path.remove(str(path.resolve().parent))
    return module


def _describe(error: BaseException, path: Path) -> str:
    """Say what was raised, and at which line of the file."""
    line = error.lineno if isinstance(error, SyntaxError) else None
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename == str(path.resolve()):
            line = frame.lineno
    told = " ".join(str(error.msg if isinstance(error, SyntaxError) else error).split())
    return f"{type(error).__name__}" + (f" ({told})" if told else "") + (f" at line {line}" if line else "")


def _of(row: Fields) -> str:
    try:
        asked = " ".join(question_of(row, "").split())
    except DataError:
        return ""
    return f", at the row that asks {asked[:SHOWN] + '…' if len(asked) > SHOWN else asked!r}"


def _kind(value: object) -> str:
    return f"the text {value[:SHOWN]!r}" if isinstance(value, str) else f"a value of {type(value).__name__}"
