"""Apache Kafka (KRaft) from its own jars on a local Java, one node or three, with nodes to kill and to pause."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from service.embedded.broker import brokers_known_to
from service.embedded.process import LOOPBACK, EmbeddedServer, EmbeddedServerError, ServerProcess, free_port
from tests.support.stack import NotHereError

VERSION = "4.1.1"
HEAP = "512m"
_JAVA = 17
_FETCH_SECONDS = 300
_START_SECONDS = 50.0
_STOP_SECONDS = 20.0
_CLUSTER_ID = "Ym9va3N0cmVhbS10ZXN0cw"
_POM = """\
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>kafka-dist</artifactId><version>1</version>
<dependencies>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>{version}</version></dependency>
<dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>{version}</version></dependency>
</dependencies></project>
"""
_PROPERTIES = """\
process.roles=broker,controller
node.id={node}
controller.quorum.voters={voters}
listeners=PLAINTEXT://{host}:{port},OUTSIDE://{host}:{outside_port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port},OUTSIDE://{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={data}
num.partitions=4
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
offsets.topic.num.partitions=5
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
transaction.state.log.num.partitions=5
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
broker.heartbeat.interval.ms=500
broker.session.timeout.ms={session_ms}
"""


class JarKafka(EmbeddedServer):
    """A cluster of combined broker and controller nodes, numbered from 1; three have replication 3 and min ISR 2."""

    def __init__(self, nodes: int = 1, session_ms: int = 3_000) -> None:
        """Prepare `nodes` nodes on free ports; one that is silent for `session_ms` is taken for dead."""
        self.nodes = range(1, nodes + 1)
        self.outside_ports = {node: free_port() for node in self.nodes}
        self._session_ms = session_ms
        self._advertised: dict[int, str] = {}
        self._ports = {node: free_port() for node in self.nodes}
        self._controller_ports = {node: free_port() for node in self.nodes}
        self._home: Path | None = None
        self._processes: dict[int, ServerProcess] = {}

    @property
    def bootstrap(self) -> str:
        """The addresses of all nodes, separated by commas."""
        return ",".join(self.address(node) for node in self.nodes)

    def advertise(self, addresses: Mapping[int, str]) -> None:
        """Before the first start: where clients find the nodes that came in by an outside port."""
        self._advertised = dict(addresses)

    def address(self, node: int) -> str:
        """The address of one node."""
        return f"{LOOPBACK}:{self._ports[node]}"

    @property
    def running(self) -> frozenset[int]:
        """The nodes that were not killed or stopped."""
        return frozenset(self._processes)

    def start(self) -> None:
        """Start the nodes that do not run and return once every node knows them all."""
        if self._home is None:
            self._home = Path(tempfile.mkdtemp(prefix="bookstream-kafka-"))
            for node in self.nodes:
                self._write_properties(self._home, node)
        for node in self.nodes:
            if node not in self._processes:
                self._launch(node)
        for node in self.nodes:
            self._await(node, len(self.nodes))

    def stop(self) -> None:
        """Stop in good order, all nodes at once."""
        processes, self._processes = self._processes, {}
        for process in processes.values():
            process.signal(signal.SIGCONT)
            process.signal(signal.SIGTERM)
        for process in processes.values():
            process.wait(_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL to every node."""
        for node in list(self._processes):
            self.kill_node(node)

    def kill_node(self, node: int) -> None:
        """SIGKILL to one node, reaped when this returns."""
        process = self._processes.pop(node)
        process.signal(signal.SIGKILL)
        process.wait(_STOP_SECONDS)

    def stop_node(self, node: int) -> None:
        """SIGTERM to one node, which hands its leaderships over first."""
        process = self._processes.pop(node)
        process.signal(signal.SIGTERM)
        process.wait(_STOP_SECONDS)

    def resume_node(self, node: int) -> None:
        """Start a killed or stopped node on its data and return once it serves metadata again."""
        self._launch(node)
        self._await(node, 1)

    def pause_node(self, node: int) -> None:
        """SIGSTOP: the node keeps its connections and answers nothing."""
        self._processes[node].signal(signal.SIGSTOP)

    def continue_node(self, node: int) -> None:
        """SIGCONT to a paused node."""
        self._processes[node].signal(signal.SIGCONT)

    def close(self) -> None:
        """Stop and remove the data; their order does not matter any more, so nothing is waited for."""
        self.kill()
        if self._home is not None:
            shutil.rmtree(self._home, ignore_errors=True)
            self._home = None

    def _properties(self, text: str) -> str:
        """The settings of a node; a subclass may change them."""
        return text

    def _format_options(self) -> Sequence[str]:
        """What formatting the storage is told beside the settings."""
        return ()

    def _write_properties(self, home: Path, node: int) -> None:
        many = len(self.nodes) >= 3
        directory = home / str(node)
        directory.mkdir()
        (directory / "server.properties").write_text(
            self._properties(
                _PROPERTIES.format(
                    node=node,
                    voters=",".join(f"{n}@{LOOPBACK}:{port}" for n, port in self._controller_ports.items()),
                    host=LOOPBACK,
                    port=self._ports[node],
                    outside_port=self.outside_ports[node],
                    advertised=self._advertised.get(node, f"{LOOPBACK}:{self.outside_ports[node]}"),
                    session_ms=self._session_ms,
                    controller_port=self._controller_ports[node],
                    data=directory / "data",
                    replicas=3 if many else 1,
                    in_sync=2 if many else 1,
                )
            ),
            encoding="utf-8",
        )

    def _launch(self, node: int) -> None:
        assert self._home is not None
        directory = self._home / str(node)
        properties = str(directory / "server.properties")
        if not (directory / "data").exists():
            tool = ["kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", properties, *self._format_options()]
            subprocess.run([*java("128m"), *tool], capture_output=True, check=True)
        self._processes[node] = ServerProcess([*java(HEAP), "kafka.Kafka", properties], log=directory / "log.txt")

    def _await(self, node: int, brokers: int) -> None:
        process, port = self._processes[node], self._ports[node]
        if not process.came_up(lambda: brokers_known_to(LOOPBACK, port) >= brokers, _START_SECONDS):
            raise EmbeddedServerError(f"node {node} of Apache Kafka did not come up: {process.tail()}")


def fetch_jars() -> Path:
    """Return the directory of Kafka's jars, downloaded by Maven the first time."""
    _require_java()
    home = jar_directory()
    if (home / ".complete").exists():
        return home
    maven = shutil.which("mvn")
    if maven is None:
        raise NotHereError("there is no Maven to fetch Kafka's jars with")
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        pom = Path(directory) / "pom.xml"
        pom.write_text(_POM.format(version=VERSION), encoding="utf-8")
        command = [maven, "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", f"-DoutputDirectory={home}"]
        try:
            subprocess.run(command, capture_output=True, check=True, text=True, timeout=_FETCH_SECONDS)
        except subprocess.CalledProcessError as error:
            raise NotHereError(f"Maven could not fetch Kafka's jars: {error.stdout.strip()[:500]}") from error
        except subprocess.TimeoutExpired as error:
            raise NotHereError("Maven did not fetch Kafka's jars in time") from error
    (home / ".complete").touch()
    return home


def jar_directory() -> Path:
    """Return where the jars are kept between runs."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "apache-kafka" / VERSION


def _require_java() -> None:
    if shutil.which("java") is None:
        raise NotHereError("there is no java command")
    said = subprocess.run(["java", "-version"], capture_output=True, check=False, text=True).stderr
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _JAVA:
        raise NotHereError(f"java is older than {_JAVA}")


def java(heap: str) -> list[str]:
    """The command that runs a class of Kafka's jars."""
    quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
    return ["java", "-Xms128m", f"-Xmx{heap}", *quick, "-cp", f"{jar_directory()}/*"]
