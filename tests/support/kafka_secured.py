"""Apache Kafka that lets nobody in unknown: TLS, client certificates or SCRAM, and rights of their own for each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest

from service.embedded.process import LOOPBACK, free_port
from tests.support.certificates import Authority, Pair
from tests.support.kafka_jars import JarKafka

SCRAM_PASSWORD = "throw-away-secret"
_TOPIC, _GROUP = 2, 3
_RESOURCES = {"topic": _TOPIC, "group": _GROUP}
_PATTERNS = {"literal": 3, "prefix": 4}
_OPERATIONS = {"All": 2, "Read": 3, "Write": 4, "Create": 5, "Delete": 6, "Alter": 7, "Describe": 8,
               "DescribeConfigs": 10, "AlterConfigs": 11}  # fmt: skip
_ALLOW = 3
_LISTENERS = {"ENCRYPTED": "SSL", "MUTUAL": "SSL", "SCRAM": "SASL_SSL", "CLEAR": "SASL_PLAINTEXT"}
_SETTINGS = """\
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=false
# Who comes by the first listener, as the brokers themselves do, or by TLS without a certificate.
super.users=User:ANONYMOUS
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={truststore}
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,SCRAM-SHA-256,PLAIN
"""
_LOGIN = """\
listener.name.{listener}.scram-sha-512.sasl.jaas.config={scram} required;
listener.name.{listener}.scram-sha-256.sasl.jaas.config={scram} required;
listener.name.{listener}.plain.sasl.jaas.config={plain} required user_{user}="{password}";
"""
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a principal may do with a topic or group."""

    principal: str
    kind: str
    name: str
    pattern: str
    operation: str


class SecuredKafka(JarKafka):
    """One node; `bootstrap` is for whoever prepares the test, the others are for those under test."""

    def __init__(self, directory: Path, users: Sequence[str]) -> None:
        """Let `users` in by SCRAM, the first by PLAIN too; certificates are in `directory`."""
        super().__init__()
        self._directory = directory
        self._users = users
        self.authority = Authority(directory)
        self.pairs: dict[str, Pair] = {user: self.authority.sign(user) for user in users}
        self._listener_ports = {name: free_port() for name in _LISTENERS}

    @property
    def first(self) -> str:
        """The user that PLAIN lets in."""
        return self._users[0]

    def at(self, listener: str, host: str = LOOPBACK) -> str:
        """The address of a listener."""
        return f"{host}:{self._listener_ports[listener]}"

    def by_certificate(self, user: str) -> dict[str, str]:
        """The settings of the service with a user's certificate."""
        pair = self.pairs[user]
        return {
            "BOOKSTREAM_KAFKA_BOOTSTRAP": self.at("MUTUAL"),
            "BOOKSTREAM_KAFKA_SECURITY_PROTOCOL": "SSL",
            "BOOKSTREAM_KAFKA_SECURITY_SSL_CA_FILE": str(self.authority.ca),
            "BOOKSTREAM_KAFKA_SECURITY_SSL_CERTIFICATE_FILE": str(pair.certificate),
            "BOOKSTREAM_KAFKA_SECURITY_SSL_KEY_FILE": str(pair.key),
        }

    def by_password(self, user: str, mechanism: str = "SCRAM-SHA-512", listener: str = "SCRAM") -> dict[str, str]:
        """The settings of the service with a user's password."""
        protocol = _LISTENERS[listener]
        tls = {"BOOKSTREAM_KAFKA_SECURITY_SSL_CA_FILE": str(self.authority.ca)} if protocol == "SASL_SSL" else {}
        return {
            "BOOKSTREAM_KAFKA_BOOTSTRAP": self.at(listener),
            "BOOKSTREAM_KAFKA_SECURITY_PROTOCOL": protocol,
            "BOOKSTREAM_KAFKA_SECURITY_SASL_MECHANISM": mechanism,
            "BOOKSTREAM_KAFKA_SECURITY_SASL_USERNAME": user,
            "BOOKSTREAM_KAFKA_SECURITY_SASL_PASSWORD": SCRAM_PASSWORD,
            **tls,
        }

    async def grant(self, grants: Iterable[Grant]) -> None:
        """Gives rights, and nothing beyond them."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:
            for one in grants:
                where = _RESOURCES[one.kind], one.name, _PATTERNS[one.pattern]
                request = CreateAclsRequest(*where, one.principal, "*", _OPERATIONS[one.operation], _ALLOW)
                answer: Any = await admin._send_request(request)
                assert [code for code, *_ in answer.creation_responses] == [0], answer
        finally:
            await admin.close()

    def _properties(self, text: str) -> str:
        server = self.authority.sign("broker", [LOOPBACK])
        keystore = self._directory / "broker.pem"
        keystore.write_bytes(server.key.read_bytes() + server.certificate.read_bytes())
        more = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in self._listener_ports.items())
        protocols = ",".join(f"{name}:{how}" for name, how in _LISTENERS.items())
        added = {"listeners": more, "advertised.listeners": more, "listener.security.protocol.map": protocols}
        pairs = [line.partition("=") for line in text.splitlines()]
        lines = [f"{name}={value},{added[name]}" if name in added else f"{name}={value}" for name, _, value in pairs]
        lines.append(_SETTINGS.format(keystore=keystore, truststore=self.authority.ca))
        for listener in ("scram", "clear"):
            login = {"scram": _SCRAM, "plain": _PLAIN, "user": self._users[0], "password": SCRAM_PASSWORD}
            lines.append(_LOGIN.format(listener=listener, **login))
        return "\n".join(lines)

    def _format_options(self) -> Sequence[str]:
        kinds = ("SCRAM-SHA-512", "SCRAM-SHA-256")
        return [
            word
            for user in self._users
            for kind in kinds
            for word in ("--add-scram", f"{kind}=[name={user},password={SCRAM_PASSWORD}]")
        ]


def grants_of(user: Mapping[str, Any], principals: Sequence[str]) -> Iterable[Grant]:
    """The rights that a KafkaUser object gives, for each of these principals."""
    for rule in user["spec"]["authorization"]["acls"]:
        resource = rule["resource"]
        for operation in rule["operations"]:
            for principal in principals:
                pattern = resource.get("patternType", "literal")
                yield Grant(principal, resource["type"], resource["name"], pattern, operation)
