"""
A compact model as a service has it: texts ─► pieces of work that take turns with those of others ─► restored texts.

In:  ["확잠실읾 념뭄 잙앙욤"].   Out: Restored("확잠실읾 …", "화장실이 너무 작아요", …), as `Restorer.restore` gives it.

A piece is a window of a text (hanpuri.compact.restoring.windows), so that a text of 10,000 characters takes turns too.
Windows of one length make a batch, whoever's they are: without padding a result does not depend on what stands beside.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cache, partial

from hanpuri.compact.editing.reader import EditPiece, EditReader, TextsBegun
from hanpuri.compact.editing.wide import Judged, finish, judge, read
from hanpuri.compact.restoring.labelling import Piece, Reading, Restoring
from hanpuri.compact.restoring.onnx_predictor import OnnxPredictor
from hanpuri.compact.restoring.restoration import Restoration
from hanpuri.compact.restoring.runtime import WIDE, Reach, Restorer
from hanpuri.serving.restoring.marks import order_marks
from hanpuri.serving.restoring.restored import Restored, of_compact
from hanpuri.serving.restoring.turns import Kind, Pieces, Turns
from hanpuri.unhiding.draft import Draft

LONG_ITEMS = 32
"""
Of a window: a longer one fills the processor alone. Of 6 items, forty in a run took 55 % of the time of forty runs; of
32, 80 %; of 80 and more there was no difference that could be told from chance.
"""


THREADS_ALONE = 2
"""
That share a run when nothing else runs or waits: two read a review in three quarters of the time of one (LOG.md). More
were not tried.
"""


class CompactModel:
    """A loaded model and the work that it makes of texts."""

    def __init__(self, name: str, model: str, threads: int = 1) -> None:
        """
        Load a model, and restore a text: what is made when it is first needed is then there.

        Args:
            name: by which clients know it.
            model: the name of a shipped model, or the folder of one that was trained.
            threads: that restore; where there are several, a request that is alone is helped by another.

        Raises:
            ModelError: as `Restorer`.
        """
        restorer = Restorer(model, threads=1)
        (files,) = restorer.members
        self.name = name
        self.created = int(files.network.stat().st_mtime)
        self.threads_alone = min(threads, THREADS_ALONE)
        self.restoring = self.restoring_alone = restorer.restoring
        if self.threads_alone > 1:
            predictor = OnnxPredictor.load(files, self.threads_alone)
            self.restoring_alone = Restoring(predictor, phrases=self.restoring.phrases)
        for restoring in {self.restoring, self.restoring_alone}:
            list(restoring.restore_stream(["확잠실읾"]))
        self.reader = load_reader()

    async def restore(
        self,
        texts: Sequence[str],
        alternatives: int,
        turns: Turns,
        *,
        reach: Reach = "syllables",
        spacing: bool = False,
    ) -> list[Restored]:
        """
        Restore texts, in their order.

        Raises:
            ServiceFault: as `Turns.run`.
        """
        size = sum(map(len, texts))
        if reach == "syllables":
            work = _Work(self, texts, alternatives)
            return await turns.run(self.name, size, work.prepare, lambda: list(map(of_compact, work.finish())))
        editing = _Editing(self.reader, texts, spacing)
        judged = await turns.run(WIDE, size, editing.prepare, editing.finish, takes_long=True)
        labelled = await self._label([one.draft.text for one in judged if one.is_web_noise], alternatives, turns)
        return await turns.beside(size, lambda: [of_compact(one) for one in finish(judged, labelled)])

    async def _label(self, texts: Sequence[str], alternatives: int, turns: Turns) -> list[Restoration]:
        if not texts:
            return []
        work = _Work(self, texts, alternatives)
        return await turns.run(self.name, sum(map(len, texts)), work.prepare, work.finish)


@cache
def load_reader() -> EditReader:
    """
    Load the model that edits, once for all models of a process.

    Raises:
        ModelError: if it is not there, or damaged.
    """
    reader = EditReader.load(WIDE, threads=1)
    for draft, reading in zip([read("ㄱr격二")], reader.read(["ㄱr격二"], careful=False), strict=True):
        judge(draft, reading)
    return reader


class _Work:
    """The work of one request."""

    def __init__(self, model: CompactModel, texts: Sequence[str], alternatives: int) -> None:
        self.model, self.texts, self.alternatives = model, texts, alternatives
        self.reading: Reading | None = None

    def prepare(self) -> Pieces:
        self.reading = self.model.restoring.begin([order_marks(text) for text in self.texts])
        by_length: dict[int, list[Piece]] = defaultdict(list)
        for window in self.reading.windows():
            by_length[window.end - window.start].append((self.reading, window))
        return {self._kind(length): pieces for length, pieces in by_length.items()}

    def finish(self) -> list[Restoration]:
        assert self.reading is not None
        return self.model.restoring.finish(self.reading, self.alternatives)

    def _kind(self, length: int) -> Kind:
        model = self.model
        return Kind(
            (model.name, self.alternatives, length),
            partial(model.restoring.label, alternatives=self.alternatives),
            partial(model.restoring_alone.label, alternatives=self.alternatives),
            threads_alone=model.threads_alone,
            most=max(1, model.restoring.predictor.batch_items // length),
            gains=length <= LONG_ITEMS,
        )


class _Editing:
    """The first half of a request with a wide reach: what the model that edits says of its texts."""

    def __init__(self, reader: EditReader, texts: Sequence[str], spacing: bool) -> None:
        self.reader, self.texts, self.spacing = reader, texts, spacing
        self.drafts: list[Draft] = []
        self.begun: TextsBegun | None = None

    def prepare(self) -> Pieces:
        self.drafts = [read(order_marks(text)) for text in self.texts]
        self.begun = self.reader.begin([draft.text for draft in self.drafts])
        by_length: dict[int, list[EditPiece]] = defaultdict(list)
        for window in self.begun.windows():
            by_length[window.end - window.start].append((self.begun, window))
        return {self._kind(length): pieces for length, pieces in by_length.items()}

    def finish(self) -> list[Judged]:
        assert self.begun is not None
        readings = self.reader.finish(self.begun, spacing=self.spacing)
        return [judge(*both) for both in zip(self.drafts, readings, strict=True)]

    def _kind(self, length: int) -> Kind:
        most = max(1, self.reader.predictor.batch_items // length)
        return Kind((WIDE, length), self.reader.label, most=most, gains=length <= LONG_ITEMS)
