"""
The engine that is somewhere else: any server that speaks the protocol of OpenAI.

In: "openai:http://127.0.0.1:8000/v1#qwen3" and rows. Out: an answer each, in their order; of a row that got none, why:

    {"noisy": "확잠실읾"}   ─►   Answer("화장실이", 4, finished=True, num_prompt_tokens=61, num_tries=2)
    {"noisy": "념뭄 …"}     ─►   Answer("", 0, finished=False, failure="the prompt is too long: …")

What can be wrong with all rows is found at the start: address, key, model, settings. After that no row ends the run.
"""

from collections.abc import Callable, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Self

from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import Fields
from hanpuri.engines.alignment import noisy_of
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.servers.asking import sampling
from hanpuri.engines.servers.connection import Connection
from hanpuri.engines.servers.finding import (
    Served,
    check_held,
    check_tokens,
    find_served,
    read_address,
    read_key,
    settle,
)
from hanpuri.engines.servers.requests import Requests, Spent
from hanpuri.engines.servers.ways import Messages, Prompts, Way, choose_way
from hanpuri.engines.settings import EngineSettings, Grammar
from hanpuri.errors import DataError
from hanpuri.training.prompting import Prompting

LOOK_SECONDS = 0.1
"""How soon it is seen that nobody waits for a streamed answer any more."""


class OpenAIEngine:
    """A server, with the words it is asked in. Made by `load`, closed by `close`."""

    name: str

    def __init__(
        self, settings: EngineSettings, connection: Connection, served: Served, way: Way, grammar: Grammar | None = None
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._connection = connection
        self._way = way
        self._grammar = grammar
        self._requests = Requests(settings, connection, served, way, grammar)

    @classmethod
    def load(cls, settings: EngineSettings) -> Self:
        """
        Find the server of `openai:http://127.0.0.1:8000/v1#MODEL`; its only model if none is named.

        Raises:
            EngineError: if httpx2 is not installed, nothing answers there, the key or the model is wrong, the server
                reads other tokens than ours, or keeps to no grammar where it has to.
            ModelError: if `server.tokenizer` is no tokenizer.
            RecipeError: if there is no such template.
        """
        address, model = read_address(settings.model)
        key, server = read_key(settings.server.api_key), settings.server
        way = choose_way(settings)
        connection = Connection(address, key, timeout_seconds=server.timeout_seconds, concurrency=server.concurrency)
        return cls.connect(settings, connection, model, way)

    @classmethod
    def connect(cls, settings: EngineSettings, connection: Connection, model: str, way: Way) -> Self:
        """
        Find out what a server serves, and make the engine; closes the connection if it cannot.

        Raises:
            EngineError: as `load`.
        """
        try:
            served = settle(settings, connection, partial(find_served, connection, model))
            if way.tokenizer is not None:
                settle(settings, connection, partial(check_tokens, connection, served, way.tokenizer))
            grammar = None
            if settings.aligned != "off":
                told = settings.server.grammar
                grammar = settle(settings, connection, partial(check_held, connection, served, way, told))
        except BaseException:
            connection.close()
            raise
        return cls(settings, connection, served, way, grammar)

    @property
    def identity(self) -> str:
        """See `Engine.identity`: address, model, template, tokenizer, grammar."""
        server = self._settings.server
        template = self.prompting.hash if self.prompting else ""
        model = f"{self._connection.address} {self.served.model}"
        return f"openai {model} {server.way} {template} {server.tokenizer} {self._settings.aligned} {self._grammar}"

    @property
    def prompting(self) -> Prompting | None:
        """See `PromptedEngine`."""
        return self._way.prompting

    @prompting.setter
    def prompting(self, prompting: Prompting) -> None:
        self._way.prompting = prompting

    @property
    def keeps_messages(self) -> bool:
        """Whether the server is sent messages as they are, and renders them itself."""
        return isinstance(self._way, Messages) and self._way.template is None

    @property
    def positions(self) -> int | None:
        """Tokens of prompt and answer together, at most; None where they cannot be counted here."""
        return self.served.positions if self._way.tokenizer is not None else None

    @property
    def served(self) -> Served:
        """What the server serves under the model's name."""
        return self._requests.served

    @served.setter
    def served(self, served: Served) -> None:
        self._requests.served = served

    @property
    def spent(self) -> Spent:
        """What asking has cost so far."""
        return self._requests.spent

    @property
    def connection(self) -> Connection:
        """To the server: who passes requests on asks there in a client of his own."""
        return self._connection

    def close(self) -> None:
        """Close the connections."""
        self._connection.close()

    def count_tokens(self, row: Fields, name: str = "row 1") -> int:
        """
        Count the tokens of a row's prompt.

        Raises:
            ValueError: if no tokenizer is known.
        """
        if not isinstance(self._way, Prompts) or self._way.tokenizer is None:
            raise ValueError("no tokenizer is known here, expected one to count with")
        return len(prompt_ids(self._way.prompting.prompt(row, name), self._way.tokenizer))

    def prompt(self, row: Fields, name: str) -> str:
        """
        Write the prompt of a row, or its messages as JSON; see `Engine.prompt`.

        Raises:
            DataError: if the row has no question, half a surrogate pair in it, or a special token spelled out.
        """
        text = self._way.text(row, name)
        if self._way.tokenizer is not None:
            self._way.body(row, name)
        try:
            text.encode()
        except UnicodeEncodeError:
            raise DataError(f"{name}: found half a surrogate pair, expected text", "clean the text first") from None
        if self._settings.aligned != "off":
            noisy_of(row, name)
        return text

    def generate(
        self, rows: Sequence[Fields], decoding: Decoding = GREEDY, *, names: Sequence[str] = ()
    ) -> list[Answer]:
        """
        Answer rows, several at a time; see `Engine.generate`. A row that got no answer says why.

        Raises:
            DataError: if a row has no question.
            EngineError: if the server refuses the first rows, and none was answered before.
        """
        names = names or [f"row {number}" for number in range(1, len(rows) + 1)]
        for row, name in zip(rows, names, strict=True):
            self.prompt(row, name)
        sampling(decoding, self.served.kind)
        return self._connection.run(self._requests.answer_all(rows, decoding, names))

    def stream(
        self,
        row: Fields,
        on_text: Callable[[str], None],
        decoding: Decoding = GREEDY,
        *,
        name: str = "row 1",
        stopped: Callable[[], bool] | None = None,
    ) -> Answer:
        """
        Answer one row, and hand on its text while it grows; see `StreamingEngine.stream`.

        A stream that breaks off is a failure, whatever was handed on by then.

        Raises:
            DataError: as `generate`.
            EngineError: as `generate`.
        """
        self.prompt(row, name)
        sampling(decoding, self.served.kind)
        pieces: SimpleQueue[str | None] = SimpleQueue()

        async def work() -> Answer:
            try:
                return await self._requests.stream(row, decoding, name, pieces.put)
            finally:
                pieces.put(None)

        future = self._connection.begin(work())
        said = ""
        try:
            while not (stopped and stopped()):
                try:
                    piece = pieces.get(timeout=LOOK_SECONDS if stopped else None)
                except Empty:
                    continue
                if piece is None:
                    return future.result()
                on_text(piece)
                said += piece
            future.cancel()  # the server hears that nobody listens
            return Answer(said, 0, finished=False)
        except BaseException:
            future.cancel()
            raise
