"""
The engine that is somewhere else: any server that speaks the protocol of OpenAI.

In: "openai:http://127.0.0.1:8000/v1#qwen3" and rows. Out: an answer each, in their order; of a row that got none, why:

    {"noisy": "확잠실읾"}   ─►   Answer("화장실이", 4, finished=True, num_prompt_tokens=61, num_tries=2)
    {"noisy": "념뭄 …"}     ─►   Answer("", 0, finished=False, failure="the prompt is too long: …")

What can be wrong with all rows is found at the start: address, key, model, settings. After that no row ends the run.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Self

from hanpuri.data.examples import prompt_ids
from hanpuri.data.templates import Fields
from hanpuri.engines.base import GREEDY, Answer, Decoding
from hanpuri.engines.servers.asking import sampling
from hanpuri.engines.servers.connection import Connection
from hanpuri.engines.servers.exchange import Asked, write_row
from hanpuri.engines.servers.faults import Fault
from hanpuri.engines.servers.finding import (
    Served,
    check_held,
    check_tokens,
    engine_error,
    find_served,
    read_address,
    read_key,
    settle,
)
from hanpuri.engines.servers.patience import Patience
from hanpuri.engines.servers.replies import Growing, Listener, Reply, read_reply
from hanpuri.engines.servers.ways import Messages, Prompts, Way, choose_way
from hanpuri.engines.settings import EngineSettings, Grammar
from hanpuri.errors import DataError, EngineError
from hanpuri.training.prompting import Prompting

LOOK_SECONDS = 0.1
"""How soon it is seen that nobody waits for a streamed answer any more."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What asking has cost so far."""

    num_requests: int
    num_retries: int
    """Of these, those that were another try."""
    num_prompt_tokens: int
    """As the server counts them."""
    num_tokens: int
    price: float
    """By `price_input` and `price_output`."""


class OpenAIEngine:
    """A server, with the words it is asked in. Made by `load`, closed by `close`."""

    name: str
    served: Served

    def __init__(
        self, settings: EngineSettings, connection: Connection, served: Served, way: Way, grammar: Grammar | None = None
    ) -> None:
        self.name = settings.name
        self.served = served
        self._settings = settings
        self._connection = connection
        self._way = way
        self._grammar = grammar
        self._patience = Patience(settings.server)
        self._answered = False
        self._num_prompt_tokens = self._num_tokens = 0

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
    def spent(self) -> Spent:
        """What asking has cost so far."""
        server = self._settings.server
        price = self._num_prompt_tokens * server.price_input + self._num_tokens * server.price_output
        counts = self._patience.num_tries, self._patience.num_again, self._num_prompt_tokens, self._num_tokens
        return Spent(*counts, price / 1_000_000)

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
        if self._settings.aligned != "off" and not isinstance(row.get("noisy"), str):
            found = f"{name}: found the fields {', '.join(row)}, expected noisy: aligned decoding restores, no more"
            raise DataError(found, "ask without aligned")
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
        return self._connection.run(self._answer_all(rows, decoding, names))

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
                return await self._stream(row, decoding, name, pieces.put)
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

    async def _answer_all(self, rows: Sequence[Fields], decoding: Decoding, names: Sequence[str]) -> list[Answer]:
        if self._patience.broken:
            await self._look_again()
        answers: list[Answer] = []
        if not self._answered:
            answers = await self._begin(rows, decoding, names)
        begun = len(answers)
        answers += [Answer.failed("not asked")] * (len(rows) - begun)
        left = iter(range(begun, len(rows)))  # shared: each worker takes the next

        async def work() -> None:
            for place in left:
                answers[place] = await self._answer(rows[place], decoding, names[place])

        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._settings.server.concurrency, len(rows) - begun)):
                group.create_task(work())
        return answers

    async def _begin(self, rows: Sequence[Fields], decoding: Decoding, names: Sequence[str]) -> list[Answer]:
        """Ask the first row alone, and another one if it is refused: what is wrong with all is known then."""
        answers: list[Answer] = []
        for row, name in zip(rows[:2], names[:2], strict=True):
            try:
                answers.append(await self._try(row, decoding, name))
            except Fault as fault:
                if fault.scope == "all" or (fault.scope == "refused" and len(answers) + 1 == len(rows[:2])):
                    raise self._useless(fault, decoding) from None
                answers.append(Answer.failed(fault.why, fault.num_tries))
                if fault.scope == "refused":
                    continue
            break
        return answers

    async def _answer(self, row: Fields, decoding: Decoding, name: str) -> Answer:
        try:
            return await self._try(row, decoding, name)
        except Fault as fault:
            return Answer.failed(fault.why, fault.num_tries)

    async def _try(self, row: Fields, decoding: Decoding, name: str) -> Answer:
        """Ask a row until there is an answer, or a Fault that no other try would mend."""
        asked = self._asked(row, decoding, name)

        async def once() -> Reply:
            return self._counted(read_reply(await self._connection.ask(self._way.path, asked.body)))

        reply, num_tries = await self._patience.bear(once)
        return asked.read(reply, num_tries)

    async def _stream(self, row: Fields, decoding: Decoding, name: str, put: Callable[[str], None]) -> Answer:
        if self._patience.broken:
            await self._look_again()
        try:
            asked = self._asked(row, decoding, name)
            return await self._hear(asked, put)
        except Fault as fault:
            if not self._answered and fault.scope in ("all", "refused"):
                raise self._useless(fault, decoding) from None
            return Answer.failed(fault.why, fault.num_tries)

    async def _hear(self, asked: Asked, put: Callable[[str], None]) -> Answer:
        body = asked.body | {"stream": True, "stream_options": {"include_usage": True}}
        heard = False

        def hear(piece: str) -> None:
            nonlocal heard
            heard = True
            put(piece)

        listener = Listener(hear, asked.answer_of, asked.endings)

        async def once() -> Reply:
            growing = Growing()
            try:
                async with aclosing(self._connection.events(self._way.path, body)) as events:
                    async for event in events:
                        growing.take(event)
                        listener.hear(growing.text)
                return self._counted(growing.reply())
            except Fault as fault:
                if heard and fault.scope == "try":
                    fault.scope = "row"  # another try would say it twice
                raise

        reply, num_tries = await self._patience.bear(once)
        answer = asked.read(reply, num_tries)
        if not answer.failure:
            listener.say(answer.text)
        return answer

    def _asked(self, row: Fields, decoding: Decoding, name: str) -> Asked:
        aligned, length = self._settings.aligned, self._settings.server.max_tokens_name
        return write_row(row, name, decoding, self.served, self._way, aligned, self._grammar, length)

    def _counted(self, reply: Reply) -> Reply:
        self._answered = True
        self._num_prompt_tokens += reply.num_prompt_tokens or 0
        self._num_tokens += reply.num_tokens
        return reply

    async def _look_again(self) -> None:
        """See whether a server that was given up is back."""
        try:
            await self._connection.ask("/models")
        except Fault:
            return
        self._patience.hope()

    def _useless(self, fault: Fault, decoding: Decoding) -> EngineError:
        if fault.scope == "refused":
            sent = ", ".join(key for key in sampling(decoding, self.served.kind) if key in fault.why)
            mend = f"leave out {sent}" if sent else "see what the server says of the request"
            return EngineError(f"{self.name}: {fault.why}", mend)
        return engine_error(self._settings, fault)
