"""Where PostgreSQL's time goes, statement by statement, as pg_stat_statements tells it."""

import asyncpg

TOP = 16
WIDTH = 90
RANKED = """
SELECT calls, rows, total_exec_time, wal_bytes, regexp_replace(query, '\\s+', ' ', 'g') AS query
FROM pg_stat_statements WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
ORDER BY total_exec_time DESC LIMIT $1
"""


async def begin(database_url: str) -> None:
    """Forget what was counted so far."""
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        await connection.execute("SELECT pg_stat_statements_reset()")
    finally:
        await connection.close()


async def end(database_url: str, commands: int) -> str:
    """Rank the statements since then by the time that they took."""
    connection = await asyncpg.connect(database_url)
    try:
        rows = await connection.fetch(RANKED, TOP)
    finally:
        await connection.close()
    lines = ["", f"statements during {commands:,} commands; microseconds and bytes are per command"]
    lines.append("  calls     rows      us   WAL B  statement")
    lines += [
        f"{row['calls']:>7} {row['rows']:>8} {row['total_exec_time'] * 1000 / max(commands, 1):>7.2f}"
        f" {float(row['wal_bytes']) / max(commands, 1):>7.0f}  {row['query'].strip()[:WIDTH]}"
        for row in rows
    ]
    return "\n".join(lines)
