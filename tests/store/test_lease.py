import asyncio

import asyncpg

from service.store.lease import LOST, Lease, held_lease
from tests.support.wait import until

ROUNDS = 60
END = "SELECT pg_terminate_backend($1)"


async def test_a_session_that_the_server_ends_is_lost_whatever_it_was_doing(database_url: str) -> None:
    """Between statements and in their midst alike, the owner gets an error that it waits out."""
    connection = await asyncpg.connect(database_url)
    for number in range(ROUNDS):
        pid: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        owner = asyncio.create_task(_own(database_url, number, pid))
        await connection.execute(END, await pid)
        assert isinstance(await owner, LOST)
    await connection.close()


async def _own(database_url: str, number: int, pid: asyncio.Future[int]) -> BaseException | None:
    """Works as an owner does, until that raises."""
    try:
        async with held_lease(database_url, "relay", number, asyncio.Event(), lambda: None) as lease:
            assert isinstance(lease, Lease)
            pid.set_result(await lease.connection.fetchval("SELECT pg_backend_pid()"))
            await until(lambda: _work(lease))
    except Exception as error:  # noqa: BLE001 - which one it is, is what the test looks at
        return error
    return None


async def _work(lease: Lease) -> bool:
    async with lease.connection.transaction():
        await lease.beat()
    return False
