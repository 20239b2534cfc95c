"""
What a connection may do besides asking and reading: little, and not for long.

In: bytes of a client, perhaps one a minute. Out: a connection that is closed: when it stands open for a while and no
whole head of a request came, when the head is longer than 64 KiB, or when the client does not read its answer. Else a
few hundred clients that say nothing would hold all the connections that a process may open. How long a body may take is
for `guarding`.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

MAX_HEAD_BYTES = 65_536


class Connection(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's connection, on the faster parser if that is installed, with less patience."""

    _head_clock: asyncio.TimerHandle | None = None
    _reading_clock: asyncio.TimerHandle | None = None
    _num_bytes = 0
    """What came of a head that is not whole."""

    def connection_made(self, transport: Any) -> None:
        """Let the clock of the first head run."""
        super().connection_made(transport)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take bytes; where they begin a head, its clock runs until it is whole."""
        before = self.cycle
        is_body = before is not None and before.more_body
        if before is None or before.response_complete:
            self._expect_head()
        super().data_received(data)
        if self.cycle is not before:
            self._forget_head()
        elif not is_body:
            self._num_bytes += len(data)
            if self._num_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                found = f"found a head of more than {MAX_HEAD_BYTES:,} bytes"
                self._refuse("431 Request Header Fields Too Large", found, "send fewer and shorter headers")

    def pause_writing(self) -> None:
        """Wait for a client that has more to read than it reads; but not if it reads nothing."""
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        """Trust it again."""
        self._forget_reading()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        """Close what is idle; what its client has not read by then it has to read now."""
        super().timeout_keep_alive_handler()
        self._expect_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clocks."""
        self._forget_head()
        super().connection_lost(exc)
        self._forget_reading()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in the form that all faults have."""
        self._refuse("400 Bad Request", "found no well-formed request of HTTP/1.1", "send another one")

    def _refuse(self, status: str, error: str, mend: str) -> None:
        """Write an answer past the application, which never heard of the request, and close."""
        body = json.dumps({"error": error, "mend": mend}).encode()
        head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        self.transport.write(f"{head}connection: close\r\n\r\n".encode() + body)
        self.transport.close()

    def _expect_head(self) -> None:
        if self._head_clock is None:
            self._head_clock = self.loop.call_later(self.timeout_keep_alive, self._close_slow)

    def _close_slow(self) -> None:
        if self._num_bytes and not self.transport.is_closing():
            found = f"found no whole head of a request in {self.timeout_keep_alive} seconds"
            self._refuse("408 Request Timeout", found, "send it faster")
        self.transport.close()

    def _forget_head(self) -> None:
        if self._head_clock is not None:
            self._head_clock.cancel()
        self._head_clock, self._num_bytes = None, 0

    def _expect_reading(self) -> None:
        self._forget_reading()
        if num_unread := self.transport.get_write_buffer_size():
            self._reading_clock = self.loop.call_later(self.timeout_keep_alive, self._end_if_stuck, num_unread)

    def _end_if_stuck(self, num_unread: int) -> None:
        if self.transport.get_write_buffer_size() < num_unread:
            self._expect_reading()
        else:
            self.transport.abort()

    def _forget_reading(self) -> None:
        if self._reading_clock is not None:
            self._reading_clock.cancel()
        self._reading_clock = None
