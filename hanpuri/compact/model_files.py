"""
Where models lie, and whether they are whole.

In:  "base" or the folder of a trained model.   Out: ModelFiles, every file that it restores with checked by SHA-256.

A model is a folder with `model.onnx`, `vocabulary.json`, if it was adapted `phrases.npz`, `card.json` (shape, recipe,
scores: what `hanpuri models` prints), `README.md` (the model card) and `SHA256SUMS`, in the form that
`sha256sum --check` reads.
"""

import difflib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from hanpuri.errors import ModelError
from hanpuri.runs import sha256_of

SHIPPED = Path(__file__).parent.parent / "models"
NEEDED = ("model.onnx", "vocabulary.json")
PHRASES = "phrases.npz"
SUMS = "SHA256SUMS"
JOIN = "+"


@dataclass(frozen=True)
class ModelFiles:
    """One model's folder."""

    folder: Path

    @classmethod
    def find(cls, model: str | Path) -> "ModelFiles":
        """
        Find a shipped model by name, or a trained one by its folder, and check that it is whole.

        Raises:
            ModelError: if there is no such model, a file is missing or cannot be read, or one is not what its checksum
                says.
        """
        try:
            return cls._find(model)
        except OSError as error:
            found = f"the model {str(model)!r} cannot be read: {error.strerror}"
            raise ModelError(found, "see that this user may read its folder and what is in it") from None

    @classmethod
    def find_all(cls, model: str | Path) -> "tuple[ModelFiles, ...]":
        """
        Find a model, or those that answer together: "base+small".

        Raises:
            ModelError: as `find`.
        """
        if isinstance(model, Path) or JOIN not in model or Path(model).is_dir():
            return (cls.find(model),)
        names = model.split(JOIN)
        if "" in names:
            raise ModelError(f"{model!r} leaves out a model's name", "write the names as in base+small")
        return tuple(cls.find(name) for name in names)

    @classmethod
    def _find(cls, model: str | Path) -> "ModelFiles":
        shipped = SHIPPED / str(model)
        folder = shipped if (shipped / SUMS).is_file() else Path(model)
        if not folder.is_dir():
            names = [files.name for files in cls.shipped()]
            near = difflib.get_close_matches(str(model), names, n=1)
            hint = f"did you mean {near[0]}?" if near else "give one of these, or the folder of a trained model"
            raise ModelError(f"no model is called {str(model)!r}; there are {', '.join(names)}", hint)
        files = cls(folder)
        files.check()
        return files

    @classmethod
    def shipped(cls) -> Iterator["ModelFiles"]:
        """List the models in the package that restore syllable by syllable, by size; one that edits is none of them."""
        found = (cls(sums.parent) for sums in SHIPPED.glob(f"*/{SUMS}"))
        yield from sorted((files for files in found if not files.edits), key=lambda files: files.num_bytes)

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def network(self) -> Path:
        """The quantised network."""
        return self.folder / "model.onnx"

    @property
    def vocabulary(self) -> Path:
        """The labels and characters."""
        return self.folder / "vocabulary.json"

    @property
    def phrases(self) -> Path:
        """What the texts say again and again that a model was adapted to; not every model has it."""
        return self.folder / PHRASES

    @property
    def edits(self) -> bool:
        """Whether it is a model that edits, of `hanpuri.compact.editing.edits`; its vocabulary says so."""
        return bool(json.loads(self.vocabulary.read_text(encoding="utf-8")).get("kind") == "edits")

    @property
    def num_bytes(self) -> int:
        """Size on disk of what is needed to restore."""
        return sum((self.folder / name).stat().st_size for name in self._restored_with())

    @cached_property
    def card(self) -> dict[str, Any]:
        """What is known of the model, for machines; empty for one without a card."""
        path = self.folder / "card.json"
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return card

    def check(self) -> None:
        """
        Compare every file that is needed, and every other that SHA256SUMS names, with its checksum.

        Raises:
            ModelError: with the file that is missing or damaged.
        """
        sums = self.folder / SUMS
        if not sums.is_file():
            inside = self.folder / "model"
            hint = (
                f"did you mean {inside}?" if (inside / SUMS).is_file() else "give the folder `model` of a finished run"
            )
            raise ModelError(f"{self.folder} holds no {SUMS}", hint)
        lines = sums.read_text(encoding="utf-8", errors="replace").splitlines()
        entries = [line.split(maxsplit=1) for line in lines if line.strip()]
        # A star before the name is how sha256sum marks a file that it read as binary.
        expected = {name.strip().removeprefix("*"): digest for digest, name in (e for e in entries if len(e) == 2)}
        for name in sorted({*NEEDED, *self._restored_with(), *expected}):
            path = self.folder / name
            if not path.is_file():
                raise ModelError(f"{path} is missing", "install hanpuri again, or train the model again")
            if sha256_of(path) != expected.get(name):
                raise ModelError(
                    f"{path} is damaged: its checksum is not the one in {SUMS}",
                    "install hanpuri again, or copy the model again",
                )

    def _restored_with(self) -> list[str]:
        return [name for name in (*NEEDED, PHRASES) if (self.folder / name).exists()]

    def write_sums(self) -> None:
        """Write the checksums of the files that a restorer loads."""
        lines = [f"{sha256_of(self.folder / name)}  {name}\n" for name in self._restored_with()]
        (self.folder / SUMS).write_text("".join(lines), encoding="utf-8")
