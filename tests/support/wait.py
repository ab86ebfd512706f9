"""Waiting on a condition instead of sleeping."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar, overload

T = TypeVar("T")
_POLL_SECONDS = 0.01


@overload
async def until(condition: Callable[[], Awaitable[T]], deadline: float = ...) -> T: ...


@overload
async def until(condition: Callable[[], T], deadline: float = ...) -> T: ...


async def until(condition: Callable[[], object], deadline: float = 20.0) -> object:
    """Poll `condition`, plain or async, until its value is true, and return that value.

    Raises TimeoutError after `deadline` seconds, an answer that takes too long included.
    """
    async with asyncio.timeout(deadline):
        while True:
            answer = condition()
            value: object = await answer if inspect.isawaitable(answer) else answer
            if value:
                return value
            await asyncio.sleep(_POLL_SECONDS)
