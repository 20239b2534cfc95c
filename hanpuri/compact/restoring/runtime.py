"""
Noisy text ─► restored text, with a confidence for every syllable; onnxruntime and numpy alone.

In:  the name of a model, "확잠실읾 념뭄 잙앙욤".
Out: Restoration(text="화장실이 너무 작아요", edits=…, confidence=…).

`labelling` does it; here a model's files are found and opened, on the processor or for torch.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hanpuri.compact.model_files import JOIN, ModelFiles
from hanpuri.compact.restoring.labelling import Restoring
from hanpuri.compact.restoring.phrases import Phrases
from hanpuri.compact.restoring.predictor import Predictor
from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.errors import ModelError
from hanpuri.runs import count_usable_cpus

if TYPE_CHECKING:
    from hanpuri.compact.editing.wide import Wide

Reach = Literal["syllables", "wide"]
"""How far restoring goes: syllables for syllables in their places, or whatever people hide by."""
REACHES: tuple[str, ...] = ("syllables", "wide")
WIDE = "wide"
"""The shipped model that edits."""
SOUND = "sound"
"""The kind of hiding that keeps a syllable a syllable, one that sounds alike: what the model undoes."""


class Restorer:
    """
    A loaded model that restores texts.

    >>> Restorer("base").restore(["확잠실읾 념뭄 잙앙욤"])[0].text
    '화장실이 너무 작아요'
    """

    def __init__(
        self,
        model: str | Path = "base",
        *,
        threads: int | None = None,
        feasible: str | None = None,
        reach: Reach = "syllables",
        spacing: bool = False,
        device: str | None = None,
    ) -> None:
        """
        Load a model.

        Args:
            model: the name of a shipped model, or the folder of one that was trained; or several, joined by "+": the
                mean of what "base+small" hold probable is right more often than each, and takes the time of both.
            threads: processor threads to use; all that this process may use, if not given.
            feasible: a noise profile; then only syllables that its rules can have turned into the noisy one are taken.
            reach: "wide" reads other scripts, signs, loose letters and what is put in, too; lengths may change then.
            spacing: with a wide reach, whether spaces are moved to where they belong.
            device: where torch labels syllables, such as "cuda", for files of millions; without it, onnxruntime does
                on the processor.

        Raises:
            ModelError: if a model is unknown, incomplete or damaged, models that are to answer together label with
                other syllables, or torch or the device is not there.
            ValueError: if `threads` is not positive, the profile or the reach is unknown.
        """
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; it has to be at least 1")
        if reach not in REACHES:
            raise ValueError(f"reach is {reach!r}; it has to be one of {', '.join(REACHES)}")
        if spacing and reach != "wide":
            raise ValueError("spacing was asked for; it needs reach='wide'")
        self.reach, self.spacing = reach, spacing
        self.members = ModelFiles.find_all(model)
        self.threads = threads or count_usable_cpus()
        # Torch has threads of its own, and a GPU is slowed by several that launch: each waits for Python's lock.
        callers = self.threads if device is None else 1
        self.restoring = Restoring(load_predictors(self.members, device), callers, feasible, load_phrases(self.members))

    @cached_property
    def _wide(self) -> "Wide":
        from hanpuri.compact.editing.reader import EditReader
        from hanpuri.compact.editing.wide import Wide

        return Wide(EditReader.load(WIDE, self.threads), self.restoring, self.spacing)

    @property
    def model(self) -> str:
        """The model's name, or the names of those that answer together."""
        return JOIN.join(files.name for files in self.members)

    def restore(self, texts: Sequence[str], *, alternatives: int = 0) -> list[Restoration]:
        """
        Restore texts; the result has their order and does not depend on what stands beside what.

        Args:
            texts: any texts. Each is brought to NFC; of that form, length, spacing and all but 가–힣 are kept, but
                with a wide reach.
            alternatives: how many syllables to name where the model is unsure, the one that is taken among them.

        Raises:
            ValueError: if `alternatives` is negative.
        """
        return list(self.restore_stream(texts, alternatives=alternatives))

    def restore_stream(self, texts: Iterable[str], *, alternatives: int = 0) -> Iterator[Restoration]:
        """Restore texts as they come, holding few of them in memory; see `restore`."""
        if alternatives < 0:
            raise ValueError(f"alternatives is {alternatives}; it has to be at least 0")
        if self.reach == "wide":
            return self._wide.restore_stream(texts, alternatives)
        return self.restoring.restore_stream(texts, alternatives)


def load_predictors(members: Sequence[ModelFiles], device: str | None) -> Predictor:
    """Load what labels syllables: a model, or several that answer together; see `Restorer`."""
    predictors = [load_predictor(files, device) for files in members]
    if len(predictors) == 1:
        return predictors[0]
    from hanpuri.compact.restoring.mean_predictor import MeanPredictor

    try:
        return MeanPredictor(predictors)
    except ValueError as error:
        names = " and ".join(str(files.folder) for files in members)
        raise ModelError(f"{names} cannot answer together: {error}", "name models of one vocabulary") from None


def load_phrases(members: Sequence[ModelFiles]) -> Phrases | None:
    """Load what the texts say that a model was adapted to; of several models, those of the first that has any."""
    return next((Phrases.load(files.phrases) for files in members if files.phrases.exists()), None)


def load_predictor(files: ModelFiles, device: str | None) -> Predictor:
    """Load what labels syllables; see `Restorer`. Only one of both libraries is loaded with it."""
    if device is None:
        from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor

        return OnnxPredictor.load(files)
    try:
        from hanpuri.compact.restoring.torch_predictor import choose_predictor
    except ModuleNotFoundError as error:
        found = f"found no {error.name}, which device {device} needs"
        raise ModelError(found, 'pip install "hanpuri[train]", or leave the device out') from None
    return choose_predictor(device).load(files, device)
