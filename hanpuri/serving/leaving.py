"""
How it is seen that a client has gone.

In: a request, and the work that it waits for. Out: what the work gives; or nothing, and the work is cancelled, as soon
as nobody waits for it any more.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

Result = TypeVar("Result")


async def until_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """
    Wait for what a client waits for; when the client goes, it is cancelled.

    Raises:
        ClientDisconnect: if nobody waits any more.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(_hear_end(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise ClientDisconnect
        return task.result()
    finally:
        task.cancel()
        gone.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _hear_end(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
