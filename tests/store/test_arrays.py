import asyncpg
import pytest

from service.store import arrays

ECHO = "SELECT $1::text[], $2::bytea[], $3::bigint[]"


async def test_lists_and_tuples_are_arrays(database_url: str) -> None:
    """Lists and tuples of values travel as they did, empty ones and nulls too; a text is no array of its letters."""
    arrays.install()
    connection = await asyncpg.connect(database_url)
    try:
        [echo] = await connection.fetch(ECHO, ["a", None, "ø"], (b"", b"\x00"), [])
        assert tuple(echo) == (["a", None, "ø"], [b"", b"\x00"], [])
        assert await connection.fetchval("SELECT $1::int[]", [[1, 2], [3, 4]]) == [[1, 2], [3, 4]]
        with pytest.raises(asyncpg.DataError):
            await connection.fetchrow(ECHO, "abc", [], [])
    finally:
        await connection.close()
