"""
Rows ─► answers, over one connection: several at a time, with patience, and counted.

In: rows, and how tokens are chosen. Out: an answer each, in their order; of a row that got none, why:

    {"noisy": "확잠실읾"}   ─►   Answer("화장실이", 4, finished=True, num_prompt_tokens=61, num_tries=2)
    {"noisy": "념뭄 …"}     ─►   Answer("", 0, finished=False, failure="the prompt is too long: …")

All this runs in the thread of the connection. What is wrong with all rows is raised while none was answered yet.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from hanpuri.data.templates import Fields
from hanpuri.engines.base import Answer, Decoding
from hanpuri.engines.servers.asking import sampling
from hanpuri.engines.servers.connection import Connection
from hanpuri.engines.servers.exchange import Asked, write_row
from hanpuri.engines.servers.faults import Fault
from hanpuri.engines.servers.finding import Served, engine_error
from hanpuri.engines.servers.patience import Patience
from hanpuri.engines.servers.replies import Growing, Listener, Reply, read_reply
from hanpuri.engines.servers.ways import Way
from hanpuri.engines.settings import EngineSettings, Grammar
from hanpuri.errors import EngineError


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


class Requests:
    """What a server is asked, and what it costs."""

    def __init__(
        self, settings: EngineSettings, connection: Connection, served: Served, way: Way, grammar: Grammar | None
    ) -> None:
        self.served = served
        self._settings, self._connection, self._way, self._grammar = settings, connection, way, grammar
        self._patience = Patience(settings.server)
        self._answered = False
        self._num_prompt_tokens = self._num_tokens = 0

    @property
    def spent(self) -> Spent:
        """What asking has cost so far."""
        server = self._settings.server
        price = self._num_prompt_tokens * server.price_input + self._num_tokens * server.price_output
        counts = self._patience.num_tries, self._patience.num_again, self._num_prompt_tokens, self._num_tokens
        return Spent(*counts, price / 1_000_000)

    async def answer_all(self, rows: Sequence[Fields], decoding: Decoding, names: Sequence[str]) -> list[Answer]:
        """
        Answer rows, several at a time; a row that got no answer says why.

        Raises:
            EngineError: if the server refuses the first rows, and none was answered before.
        """
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

    async def stream(self, row: Fields, decoding: Decoding, name: str, put: Callable[[str], None]) -> Answer:
        """
        Answer one row, and put each piece of its text somewhere while it grows.

        Raises:
            EngineError: as `answer_all`.
        """
        if self._patience.broken:
            await self._look_again()
        try:
            asked = self._asked(row, decoding, name)
            return await self._hear(asked, put)
        except Fault as fault:
            if not self._answered and fault.scope in ("all", "refused"):
                raise self._useless(fault, decoding) from None
            return Answer.failed(fault.why, fault.num_tries, cause=fault.cause)

    async def _begin(self, rows: Sequence[Fields], decoding: Decoding, names: Sequence[str]) -> list[Answer]:
        """Ask the first row alone, and another one if it is refused: what is wrong with all is known then."""
        answers: list[Answer] = []
        for row, name in zip(rows[:2], names[:2], strict=True):
            try:
                answers.append(await self._try(row, decoding, name))
            except Fault as fault:
                if fault.scope == "all" or (fault.scope == "refused" and len(answers) + 1 == len(rows[:2])):
                    raise self._useless(fault, decoding) from None
                answers.append(Answer.failed(fault.why, fault.num_tries, cause=fault.cause))
                if fault.scope == "refused":
                    continue
            break
        return answers

    async def _answer(self, row: Fields, decoding: Decoding, name: str) -> Answer:
        try:
            return await self._try(row, decoding, name)
        except Fault as fault:
            return Answer.failed(fault.why, fault.num_tries, cause=fault.cause)

    async def _try(self, row: Fields, decoding: Decoding, name: str) -> Answer:
        """Ask a row until there is an answer, or a Fault that no other try would mend."""
        asked = self._asked(row, decoding, name)

        async def once() -> Reply:
            return self._counted(read_reply(await self._connection.ask(self._way.path, asked.body)))

        reply, num_tries = await self._patience.bear(once)
        return asked.read(reply, num_tries)

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
            return EngineError(f"{self._settings.name}: {fault.why}", mend)
        return engine_error(self._settings, fault)
