"""
HTTP to one server: a request ─► its JSON, or a Fault.

In: a path and a body. Out: what was answered, read as JSON; of a stream, its events one after another:

    data: {"choices": [{"delta": {"content": "너"}}]}    ─►   {"choices": [{"delta": {"content": "너"}}]}

Requests run in a thread of their own, many at a time: so ctrl-C is heard at once and takes back all that are on their
way, and a notebook, whose own thread has a loop already, can ask too. The key is in no fault and in no `repr`.
"""

import asyncio
import json
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from concurrent.futures import Future
from ipaddress import ip_address
from typing import Any, TypeVar
from urllib.parse import urlsplit

from hanpuri.engines.servers.faults import Fault, fault_of, words_of
from hanpuri.errors import EngineError

JSON = "application/json"
EVENTS = "text/event-stream"
CONNECT_SECONDS = 10.0
KEEP_SECONDS = 2.0
"""How long a connection is kept that nothing is asked on: less than servers keep it, who would close it under us."""
Result = TypeVar("Result")


class Connection:
    """One server. Closed by `close`."""

    def __init__(self, address: str, key: str = "", *, timeout_seconds: float = 120.0, concurrency: int = 8) -> None:
        """
        Make ready to ask; nothing is sent yet.

        Raises:
            EngineError: if httpx2 is not installed.
        """
        self.address = address
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._client = self.open_client(concurrency + 1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="hanpuri-server", daemon=True)
        self._thread.start()

    def open_client(self, num_connections: int) -> Any:
        """
        Give an `httpx2.AsyncClient` for this server, which sends the key; who asks in another loop needs another one.

        Raises:
            EngineError: if httpx2 is not installed.
        """
        try:
            import httpx2
        except ImportError:
            found = "asking a server needs the library httpx2, which is not installed"
            raise EngineError(found, 'install it: pip install "hanpuri[openai]"') from None
        seconds = self._timeout_seconds
        return httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {self._key}"} if self._key else {},
            timeout=httpx2.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds), pool=None),
            limits=httpx2.Limits(max_connections=num_connections, keepalive_expiry=KEEP_SECONDS),
            follow_redirects=False,  # nobody but this server is asked
            trust_env=not _is_here(self.address),  # a proxy of the environment knows nothing of this machine's ports
        )

    def hide(self, text: str) -> str:
        """Take the key out of words of the server."""
        return text.replace(self._key, "…") if self._key else text

    def begin(self, work: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Start something in the thread of the requests; when the future is cancelled, it is taken back."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do something in the thread of the requests, and wait for it; ctrl-C takes it back."""
        future = self.begin(work)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """Close what is open."""
        if self._thread.is_alive():
            self.run(self._client.aclose())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """
        Send a request, a GET if there is no body; what is answered.

        Args:
            path: behind the address, such as "/models"; or a whole address.
            body: becomes JSON.

        Raises:
            Fault: if there is no answer, or one that is no JSON.
        """
        url = self._url(path)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                reply = await (self._client.get(url) if body is None else self._client.post(url, json=body))
        except Exception as error:
            raise self._broken(error) from None
        if reply.status_code != 200:
            raise self._hidden(fault_of(reply.status_code, reply.headers, reply.content))
        return self._read(reply.content)

    async def events(self, path: str, body: dict[str, Any]) -> AsyncGenerator[Any, None]:
        """
        Send a request whose answer comes in pieces.

        Raises:
            Fault: if there is no answer, or one that breaks off.
        """
        try:
            async with self._client.stream("POST", self._url(path), json=body) as reply:
                if reply.status_code != 200:
                    raise self._hidden(fault_of(reply.status_code, reply.headers, await reply.aread()))
                if not reply.headers.get("content-type", "").startswith(EVENTS):
                    yield self._read(await reply.aread())  # a server that does not stream answers in one piece
                    return
                async for data in read_events(reply.aiter_bytes()):
                    if data == b"[DONE]":
                        return
                    yield self._read(data)
        except Fault:
            raise
        except Exception as error:
            raise self._broken(error) from None

    def _url(self, path: str) -> str:
        return path if "://" in path else self.address + path

    def _read(self, content: bytes) -> Any:
        try:
            return json.loads(content)
        except ValueError:
            found = f"found {words_of(content) or 'nothing'}, expected JSON"
            raise self._hidden(Fault(found, "try", cause="the reply is no JSON")) from None

    def _broken(self, error: Exception) -> Fault:
        """Say what became of a request that got no answer, or half of one."""
        import httpx2

        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            return Fault(f"nothing answers at {self.address}", "try")
        if isinstance(error, TimeoutError | httpx2.TimeoutException):
            return Fault(f"no answer within {self._timeout_seconds:g} seconds", "try")
        if isinstance(error, httpx2.HTTPError | OSError):
            cause = "the answer broke off"
            return self._hidden(Fault(f"{cause} ({error or type(error).__name__})", "try", cause=cause))
        if isinstance(error, httpx2.InvalidURL):
            return Fault(f"found the address {self.address}, which is none ({error})", "all")
        raise error

    def _hidden(self, fault: Fault) -> Fault:
        """Take the key out of words that a server sent back."""
        fault.why = self.hide(fault.why)
        fault.args = (fault.why,)
        return fault


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """
    Take what follows `data:` out of a stream of events.

    By bytes and at line ends alone: a chunk may end within a syllable, and what else Python takes for the end of a
    line, U+2028 or U+0085, may stand in a text.
    """
    rest = b""
    async for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line[5:].strip()


def _is_here(address: str) -> bool:
    """
    Tell whether a server runs on this machine.

        >>> _is_here("http://127.0.0.1:8000/v1"), _is_here("http://[::1]:8000/v1"), _is_here("https://example.com/v1")
        (True, True, False)
    """
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
