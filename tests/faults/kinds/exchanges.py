"""Death and resets around the replies that matter: before a request is delivered, before its reply is, and after it."""

import asyncio
import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

from tests.faults.kinds.fault import Fault
from tests.faults.stage import Member, Stage
from tests.support.proxy import TcpProxy, Trap
from tests.support.wait import until

What = Literal["commit", "delete", "produce"]
At = Literal["request", "answer", "after"]

_COMMIT: Final = re.compile(rb"COMMIT;\x00")
# Frame length, API key 0 (Produce), its version, a correlation id, and who asks.
_PRODUCE: Final = re.compile(rb"\A.{4}\x00\x00.{2}.{4}\x00.bookstream-relay", re.DOTALL)
# A statement's text travels once; its completion names what was done every time.
_DELETED: Final = re.compile(rb"C\x00\x00\x00.DELETE [1-9]")
# Together with other faults it may take a while until there is such an exchange.
_SPRING_SECONDS: Final = 45.0


@dataclass(slots=True)
class Interrupted(Fault):
    """One exchange of the role with PostgreSQL or Kafka ends where `at` says; its process dies there, or lives on."""

    what: What
    at: At
    dies: bool
    _trap: Trap | None = field(default=None, init=False)
    _killed: list[Member] = field(default_factory=list, init=False)

    async def inject(self, stage: Stage) -> None:
        """Sets the trap on every connection that may carry the exchange, and waits until it has sprung."""
        ways = self._ways(stage, stage.of_role(self.area))
        traps = [self._set(proxies, victims) for proxies, victims in ways]
        try:
            await until(lambda: any(trap.sprung.is_set() for trap in traps), _SPRING_SECONDS)
        finally:
            for proxies, _ in ways:
                for proxy in proxies:
                    proxy.set_trap(None)
        for member in self._killed:
            await asyncio.to_thread(member.service.kill)

    async def heal(self, stage: Stage) -> None:
        """Starts again what died."""
        for member in self._killed:
            member.service.start()

    def _ways(self, stage: Stage, members: Sequence[Member]) -> list[tuple[list[TcpProxy], list[Member]]]:
        if self.what == "produce":
            # Which relay it is does not show on the wire: both die.
            return [(list(stage.servers.nodes.values()), list(members))]
        return [([member.postgres], [member]) for member in members]

    def _set(self, proxies: Sequence[TcpProxy], victims: Sequence[Member]) -> Trap:
        request, answer = self._patterns()
        trap = Trap(self.at, request, answer, lambda: self._die(victims))
        for proxy in proxies:
            proxy.set_trap(trap)
        return trap

    def _patterns(self) -> tuple[re.Pattern[bytes] | None, re.Pattern[bytes] | None]:
        match self.what:
            case "commit":
                return _COMMIT, None
            case "produce":
                return _PRODUCE, None
            case "delete":
                return None, _DELETED

    def _die(self, victims: Sequence[Member]) -> None:
        if self.dies and not self._killed:
            for member in victims:
                if member.service.runs:
                    member.service.signal(signal.SIGKILL)
                    self._killed.append(member)
