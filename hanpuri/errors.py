"""
The errors that hanpuri raises on purpose: what was found, what was expected, and the mend.

In: a fault in somebody's data, recipe or model. Out: one line that its owner can act on:

    reviews.csv:3: found 3 cells, expected 2 (id, text); put a cell that holds the delimiter in quotes

The tree:

    Exception
    ├── ValueError          a wrong call: a mistake in the calling code
    └── HanpuriError        a fault in what was given: one line on the command line (exit 2), a 4xx on the server
        ├── DataError       a file, an encoding, a row, a field
        ├── RecipeError     a recipe file: its keys and values
        ├── ModelError      a checkpoint, a tokenizer, an adapter
        └── EngineError     a library that is not installed, a server that does not answer
"""


class HanpuriError(Exception):
    """
    A fault in what hanpuri was given: `message` says what was found and what was expected, `mend` what to do.

    As a string it is one line, whatever the file names in it hold:

        >>> error = HanpuriError("notes.txt: found no such file", "did you mean note.txt?")
        >>> str(error)
        'notes.txt: found no such file; did you mean note.txt?'
        >>> error.mend
        'did you mean note.txt?'
    """

    def __init__(self, message: str, mend: str) -> None:
        super().__init__(message, mend)  # both in `args`, so that the error survives pickling between processes
        self.message = message
        self.mend = mend

    def __str__(self) -> str:
        return " ".join(f"{self.message}; {self.mend}".splitlines())


class DataError(HanpuriError):
    """A fault in a data file: it is missing, not in its encoding, or a row of it is broken."""


class RecipeError(HanpuriError):
    """A fault in a recipe: an unknown key, a value out of its range."""


class ModelError(HanpuriError):
    """A fault in a model: a missing checkpoint, a tokenizer that does not fit, an unknown architecture."""


class EngineError(HanpuriError):
    """A fault in what answers: its library is not installed, its server is down or refuses, a setting that it lacks."""
