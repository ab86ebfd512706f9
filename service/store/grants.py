"""What a role may do that runs the service and can't change the schema."""

from collections.abc import Mapping
from typing import Any, Final

# Since PostgreSQL 17 a role that owns nothing may be let vacuum; before, autovacuum alone does it.
MAINTAIN_SINCE: Final = 170_000
MAINTAINED: Final = "outbox"
QUOTED: Final = "SELECT quote_ident($1)"


async def grant(connection: Any, role: str, needed: Mapping[str, tuple[str, ...]]) -> None:
    """Gives a role these rights on tables, and none beside them; to be repeated after each migration.

    Rights that it has already stay: the role is to have none by other ways. Raises asyncpg errors.
    """
    name = await connection.fetchval(QUOTED, role)
    schema = await connection.fetchval("SELECT quote_ident(current_schema())")
    statements = [f"GRANT USAGE ON SCHEMA {schema} TO {name}"]
    statements += [f"GRANT {', '.join(rights)} ON {table} TO {name}" for table, rights in needed.items()]
    if int(await connection.fetchval("SHOW server_version_num")) >= MAINTAIN_SINCE:
        statements.append(f"GRANT MAINTAIN ON {MAINTAINED} TO {name}")
    async with connection.transaction():
        for statement in statements:
            await connection.execute(statement)
