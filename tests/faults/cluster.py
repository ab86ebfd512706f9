"""Three nodes of Kafka with a listener more, so that the network of one client can be disturbed and of no other."""

import re
from collections.abc import Mapping
from typing import Final

from service.embedded.process import LOOPBACK, free_port
from tests.support.kafka_jars import JarKafka

_NODE: Final = re.compile(r"^node\.id=(\d+)$", re.MULTILINE)


class Cluster(JarKafka):
    """Clients come in by the outside ports, one of them by the ports apart."""

    def __init__(self, session_ms: int) -> None:
        """A node that is silent for so long is taken for dead."""
        super().__init__(nodes=3, session_ms=session_ms)
        self.apart_ports = {node: free_port() for node in self.nodes}
        self._apart: dict[int, str] = {}

    def advertise_apart(self, addresses: Mapping[int, str]) -> None:
        """Before the first start: where the client that came in by a port apart finds the nodes."""
        self._apart = dict(addresses)

    def _properties(self, text: str) -> str:
        found = _NODE.search(text)
        assert found is not None
        node = int(found[1])
        added = {
            "listeners": f"APART://{LOOPBACK}:{self.apart_ports[node]}",
            "advertised.listeners": f"APART://{self._apart[node]}",
            "listener.security.protocol.map": "APART:PLAINTEXT",
        }
        pairs = [line.partition("=") for line in text.splitlines()]
        lines = [f"{name}={value},{added[name]}" if name in added else f"{name}={value}" for name, _, value in pairs]
        return "\n".join(lines)
