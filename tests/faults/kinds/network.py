"""The network between the service and PostgreSQL or Kafka: resets, half-open connections, silence, delay."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tests.faults.kinds.fault import Fault
from tests.faults.stage import Stage
from tests.support.proxy import TcpProxy

Trouble = Literal["reset", "refused", "client-unaware", "server-unaware", "blackhole", "slow"]


@dataclass(slots=True)
class Network(Fault):
    """Every connection to PostgreSQL (of one role, or of all) or to Kafka (to one node, or to all) has the trouble.

    `apart` are those of one worker to Kafka, so that all the others go on.

    Of a half-open connection one side is unaware that the other has gone.
    """

    trouble: Trouble
    to: Literal["postgresql", "kafka", "apart"]
    only: str | int | None
    delay: float = 0.1

    async def inject(self, stage: Stage) -> None:
        """Disturbs the proxies."""
        for proxy in self._proxies(stage):
            match self.trouble:
                case "reset":
                    proxy.cut()
                case "refused":
                    proxy.refuse()
                    proxy.cut()
                case "client-unaware":
                    proxy.sever("server")
                case "server-unaware":
                    proxy.sever("client")
                case "blackhole":
                    proxy.blackhole()
                case "slow":
                    proxy.slow(self.delay)

    async def heal(self, stage: Stage) -> None:
        """Lets everything pass again."""
        for proxy in self._proxies(stage):
            proxy.restore()

    def _proxies(self, stage: Stage) -> Sequence[TcpProxy]:
        if self.to == "postgresql":
            return [
                member.postgres
                for member in stage.members
                if self.only is None or str(self.only) in member.roles.split(",")
            ]
        nodes = stage.servers.apart if self.to == "apart" else stage.servers.nodes
        return [proxy for node, proxy in nodes.items() if self.only in (None, node)]
