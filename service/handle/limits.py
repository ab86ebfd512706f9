"""Step 4: how many commands a client may send in a minute and in a day (UTC), judged by their append times.

What was admitted is counted in the transaction that moves the progress, so that a batch that is tried again counts
once, and by partition, so that no two processes write the same row. A process therefore does not see what others admit
in batches that run at the same time: a client gets no less than its limit, and at most its limit from each worker that
works on its commands at that moment. Every command that is let in counts, a repeat and one that is refused for what it
says too; one that is refused here does not, nor does a dead letter that an operator sends again.
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
USED: Final = """
SELECT usage.account_id, usage.client_id, usage.span, usage.period, sum(usage.used)::bigint
FROM unnest($1::text[], $2::text[], $3::integer[], $4::bigint[]) AS asked (account_id, client_id, span, period)
JOIN client_usage AS usage USING (account_id, client_id, span, period)
GROUP BY 1, 2, 3, 4
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
    """Parts commands by the limits of their clients, and counts those that are let in: two statements, or none."""
    periods = {period for each in commands if each.client is not None for period, _ in _limits(each.client, each)}
    if not periods:
        return Admission(list(commands), [])
    rows = await connection.fetch(USED, *zip(*periods, strict=True))
    used: dict[Period, int] = {tuple(row)[:4]: row[4] for row in rows}
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
