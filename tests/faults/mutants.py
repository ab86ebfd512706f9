"""The service with one safeguard taken out, so that the checker can show that it would notice.

    python -m tests.faults.mutants no-inbox run --roles worker

runs the command line of the service with that mutation. The product knows nothing of it.
"""

import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import asyncpg

from service.cli.main import main
from service.handle import attempt, batch, save
from service.handle.batch import BatchTransaction
from service.handle.progress import move_progress
from service.outbox.append import append
from service.outbox.row import Row
from service.record import Span
from service.settings import load_settings


def no_inbox() -> None:
    """Nothing is remembered, so a repeat is decided anew."""

    async def recall(connection: object, commands: object) -> Mapping[Any, Any]:
        return {}

    async def remember(connection: object, memories: object, *, recalled: bool) -> bool:
        return True

    _replace(attempt, "recall", recall)
    _replace(attempt, "remember", remember)


def outbox_outside_the_transaction() -> None:
    """Events are written after the commit, so a death in between loses them."""
    transact = BatchTransaction._transact
    kept: list[Row] = []

    async def keep(connection: object, rows: Sequence[Row]) -> None:
        kept.extend(rows)

    async def then_append(self: BatchTransaction, *arguments: Any) -> Any:
        kept.clear()
        decided = await transact(self, *arguments)
        async with self._pool.acquire() as connection:
            await append(connection, kept)
        return decided

    _replace(attempt, "append", keep)
    _replace(batch, "append", keep)
    _replace(BatchTransaction, "_transact", then_append)


def two_owners() -> None:
    """The relay and the clock believe that they have the lock."""
    fetchval = asyncpg.Connection.fetchval

    async def granted(self: Any, query: str, *arguments: Any, **options: Any) -> Any:
        return True if "pg_try_advisory_lock" in query else await fetchval(self, query, *arguments, **options)

    _replace(asyncpg.Connection, "fetchval", granted)


def progress_before_commit() -> None:
    """Offsets move in a transaction of their own before the batch's ends, so a batch that fails is passed over."""

    async def elsewhere(connection: object, *arguments: Any) -> Any:
        async with _own_connection() as own:
            return await move_progress(own, *arguments)

    _replace(batch, "move_progress", elsewhere)


def progress_after_commit() -> None:
    """Offsets move in a transaction of their own after the batch's, so a death in between has it handled twice."""
    transact = BatchTransaction._transact

    async def look(connection: object, *arguments: Any) -> Any:
        async with _own_connection() as own:
            transaction = own.transaction()
            await transaction.start()
            moved = await move_progress(own, *arguments)
            await transaction.rollback()
            return moved

    async def then_move(self: BatchTransaction, *arguments: Any) -> Any:
        decided = await transact(self, *arguments)
        async with _own_connection() as own:
            await move_progress(own, _spans(arguments))
        return decided

    _replace(batch, "move_progress", look)
    _replace(BatchTransaction, "_transact", then_move)


def blind_write() -> None:
    """Aggregates are saved whatever their version is meanwhile."""
    check = "aggregate.version = changed.expected"
    assert check in save.UPDATE
    _replace(save, "UPDATE", save.UPDATE.replace(check, "changed.expected > 0"))


MUTATIONS: Mapping[str, Callable[[], None]] = {
    "no-inbox": no_inbox,
    "outbox-outside-the-transaction": outbox_outside_the_transaction,
    "two-owners": two_owners,
    "progress-before-commit": progress_before_commit,
    "progress-after-commit": progress_after_commit,
    "blind-write": blind_write,
}


def _spans(arguments: Sequence[Any]) -> Sequence[Span]:
    return next(each for each in arguments if isinstance(each, list) and each and isinstance(each[0], Span))


@asynccontextmanager
async def _own_connection() -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(load_settings().database_url.get_secret_value())
    try:
        yield connection
    finally:
        await connection.close()


def _replace(where: ModuleType | type, name: str, value: object) -> None:
    """A mutation of what is not there would prove nothing."""
    assert hasattr(where, name), f"{where.__name__} has no {name}"
    setattr(where, name, value)


if __name__ == "__main__":
    MUTATIONS[sys.argv.pop(1)]()
    main()
