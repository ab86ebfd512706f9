"""Step 4: how many commands a client may send in a minute and in a day (UTC), judged by their append times.

What was admitted is counted in the transaction that moves the progress, so that a batch that is tried again counts
once, and by partition, so that no two processes write the same row. A process doesn't see what others admit in batches
that run at the same time. So a batch that wants more than an eighth of what is left of a limit waits for those that do
too, and looks again; the others go on unhindered, as do all of a client that is over its limit. A client is never let
in less often than its limit says, and more often only by an eighth of it for each further worker, at the very most.

Every command that is let in counts, a repeat and one that is refused for what it says too; one that is refused here
does not, nor does a dead letter that an operator sends again.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.client import Client
from service.domain.model import Reason, Refused
from service.received import Received
from service.store.pool import Connection

MINUTE: Final = 60
DAY: Final = 86_400
SHARES: Final = 8
USED: Final = """
SELECT usage.account_id, usage.client_id, usage.span, usage.period, sum(usage.used)::bigint
FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) AS asked (account_id, client_id, span, period)
JOIN client_usage AS usage USING (account_id, client_id, span, period)
GROUP BY 1, 2, 3, 4
"""
# Until the end of the transaction, in one order.
WAIT: Final = """
SELECT pg_advisory_xact_lock(key)
FROM (SELECT DISTINCT hashtextextended(client_id, 0) AS key FROM unnest($1::text[]) AS near (client_id) ORDER BY 1) k
"""
COUNT: Final = """
INSERT INTO client_usage AS usage (account_id, client_id, span, period, topic, partition, used)
SELECT * FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[], $5::text[], $6::integer[], $7::bigint[])
ON CONFLICT (account_id, client_id, span, period, topic, partition)
DO UPDATE SET used = usage.used + excluded.used, counted_at = now()
"""

Period = tuple[str, str, int, int]
Place = tuple[str, str, int, int, str, int]


@dataclass(slots=True)
class Admission:
    """The commands of a batch that are let in, and those that are over a limit."""

    admitted: list[Received]
    refused: list[tuple[Received, Refused]]


async def admit(connection: Connection, commands: Sequence[Received]) -> Admission:
    """Parts commands by the limits of their clients, and counts those that are let in; no statement without limits."""
    asked, limits = _asked(commands)
    if not asked:
        return Admission(list(commands), [])
    used = await _used(connection, asked)
    near = {period[1] for period, wanted in asked.items() if _is_near(limits[period] - used.get(period, 0), wanted)}
    if near:
        await connection.execute(WAIT, sorted(near))
        used = await _used(connection, asked)
    counted: dict[Place, int] = {}
    admission = Admission([], [])
    for received in commands:
        refused = _judge(received, used, counted)
        if refused is None:
            admission.admitted.append(received)
        else:
            admission.refused.append((received, refused))
    await _count(connection, counted)
    return admission


def _asked(commands: Sequence[Received]) -> tuple[dict[Period, int], dict[Period, int]]:
    """Gives how much the commands want of each period, and its limit."""
    asked: dict[Period, int] = {}
    limits: dict[Period, int] = {}
    for received in commands:
        if received.client is not None:
            for period, limit in _limits(received.client, received):
                asked[period] = asked.get(period, 0) + 1
                limits[period] = limit
    return asked, limits


def _is_near(left: int, wanted: int) -> bool:
    """Whether batches at the same time could use up more than is left; where nothing is left, none can."""
    return 0 < left < wanted * SHARES


async def _used(connection: Connection, asked: Mapping[Period, int]) -> dict[Period, int]:
    rows = await connection.fetch(USED, *zip(*asked, strict=True))
    return {(account_id, client_id, span, period): used for account_id, client_id, span, period, used in rows}


def _judge(received: Received, used: dict[Period, int], counted: dict[Place, int]) -> Refused | None:
    """Lets a command in, and counts it; the day goes before the minute, since it is the longer wait."""
    if received.client is None:
        return None
    limits = _limits(received.client, received)
    for period, limit in limits:
        if used.get(period, 0) >= limit:
            reason = Reason.DAILY_QUOTA_EXCEEDED if period[2] == DAY else Reason.BURST_LIMIT_EXCEEDED
            return Refused(reason, retry_after=_wait(received, period))
    record = received.record
    for period, _ in limits:
        used[period] = used.get(period, 0) + 1
        place = (*period, record.topic, record.partition)
        counted[place] = counted.get(place, 0) + 1
    return None


def _limits(client: Client, received: Received) -> list[tuple[Period, int]]:
    limits: list[tuple[Period, int]] = []
    if received.record.replay is not None:
        return limits
    for span, limit in ((DAY, client.daily_quota), (MINUTE, client.burst_per_minute)):
        if limit is not None:
            period = received.record.timestamp // (span * 1000)
            limits.append(((client.account_id, client.client_id, span, period), limit))
    return limits


def _wait(received: Received, period: Period) -> int:
    """Gives the seconds from the append time to the next period, rounded up."""
    ends = (period[3] + 1) * period[2] * 1000
    return -((received.record.timestamp - ends) // 1000)


async def _count(connection: Connection, counted: Mapping[Place, int]) -> None:
    if counted:
        ordered: Iterable[tuple[Place, int]] = sorted(counted.items())
        await connection.execute(COUNT, *zip(*((*place, number) for place, number in ordered), strict=True))
