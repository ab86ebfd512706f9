"""Times as options of a command."""

from datetime import UTC, datetime

import click


def moment(ctx: click.Context, param: click.Parameter, value: str | None) -> datetime | None:
    """Reads a time that means one moment: RFC 3339 with an offset."""
    del ctx, param
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise click.BadParameter(f"{value!r} is no time with an offset, such as 2026-12-01T09:00:00Z")
    return found.astimezone(UTC)
