"""Fetches for the next batch when the one in hand is decided, while it is written: not before, and not after.

aiokafka would fetch at once when a poll has taken what was there, and then ask that broker for nothing more until the
next poll takes that, or 0.1 s have passed: what comes meanwhile would wait for a whole batch between.
"""

from typing import Any

from service.consume.polled import BoundedFetcher


class TimelyFetcher(BoundedFetcher):
    """Sends no fetch from a poll that brought something until `fetch_next`, or the next poll."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._put_off = False
        super().__init__(*arguments, **named)

    async def fetched_records(self, partitions: Any, timeout: float = 0, max_records: int | None = None) -> Any:  # noqa: ASYNC109
        """Gives what was fetched, by partition."""
        self.fetch_next()
        found = await super().fetched_records(partitions, timeout, max_records)
        if found:
            self._put_off = True
        return found

    def fetch_next(self) -> None:
        """Lets fetches begin: the batch in hand has only to be written."""
        if self._put_off:
            self._put_off = False
            self._notify(self._wait_consume_future)

    def _get_actions_per_node(self, assignment: Any) -> Any:
        fetches, *others = super()._get_actions_per_node(assignment)
        return [] if self._put_off else fetches, *others
