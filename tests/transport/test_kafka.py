"""The service on an Apache Kafka with TLS and an authorizer, its users with the rights that deploy/ grants."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError

from service.settings import load_settings
from service.topics import COMMAND_TOPICS
from tests.cli.command_line import finished
from tests.e2e.broker import OUTPUTS, PARTITIONS
from tests.e2e.process import Service, environment
from tests.e2e.stage import Stage, create, open_location, staged, stop, update, versions
from tests.support.certificates import Authority
from tests.support.kafka_secured import Grant, SecuredKafka
from tests.support.wait import until
from tests.transport.conftest import STRANGER

pytestmark = pytest.mark.timeout(150)
INTEGRATOR = "User:stranger"
COUNT = str(PARTITIONS)


@pytest.fixture
async def stage(secured_kafka: SecuredKafka, database_url: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """Topics, made by whoever may do everything; nothing runs."""
    async with staged(secured_kafka.bootstrap, "", database_url, tmp_path) as made:
        yield made


def known(stage: Stage, security: Mapping[str, str]) -> dict[str, str]:
    """The settings of a process that is known to Kafka in this way."""
    settings = environment(stage.broker, stage.database_url, **security, BOOKSTREAM_PARTITIONS=COUNT)
    return {name: value for name, value in settings.items() if name != "BOOKSTREAM_TOPIC_PREFIX"} | {
        "BOOKSTREAM_GROUP_ID": "bookstream"
    }


async def checked(settings: Mapping[str, str]) -> tuple[int, str, str]:
    """Lets `topics --check` look."""
    return await finished(settings, ["topics", "--check"])


async def test_the_whole_service_with_no_more_rights_than_deploy_grants(
    stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path
) -> None:
    """Each role by its own user, one by certificate, one by SCRAM; an integrator sends, doctor and topics look."""
    kafka = secured_kafka
    await kafka.grant(
        [
            Grant(INTEGRATOR, "topic", "booking-commands", "literal", "Write"),
            *(Grant(INTEGRATOR, "topic", topic, "literal", "Describe") for topic in COMMAND_TOPICS),
            *(Grant(INTEGRATOR, "topic", topic, "literal", each) for topic in OUTPUTS for each in ("Read", "Describe")),
        ]
    )
    worker = Service(known(stage, kafka.by_certificate("bookstream-worker")), tmp_path, "worker")
    relay = Service(known(stage, kafka.by_password("bookstream-relay")), tmp_path, "relay,clock")
    with worker, relay:
        await worker.ready()
        await relay.ready()
        await open_location(stage)
        sender = known(stage, kafka.by_password(STRANGER, "SCRAM-SHA-256"))
        lines = tmp_path / "lines.jsonl"
        lines.write_text("\n".join(json.dumps(_line(number)) for number in range(3)))
        code, out, said = await finished(sender, ["send", str(lines), "--json"])
        assert code == 0, out + said
        assert [json.loads(line)["outcome"] for line in out.splitlines()] == ["applied"] * 3
        stage.sent += 3
        await stage.send([update("b-1", "u-1", notes="x"), update("nobody", "u-2")])
        await stage.settle()
        assert versions(await stage.events()) == {"b-0": [1], "b-1": [1, 2], "b-2": [1]}
        looker = known(stage, kafka.by_certificate("bookstream-topics-check"))
        assert await checked(looker) == (0, "every topic is as wanted\n", "")
        code, out, said = await finished(looker, ["doctor", "--json"])
        found = {
            one["check"]: one for one in json.loads(out)["findings"] if one["check"].startswith(("kafka", "topic"))
        }
        assert {one["severity"] for one in found.values()} == {"ok"}, out
        assert found["kafka.transport"]["message"] == "SSL: encrypted, and the brokers are verified"
        assert found["kafka.clock"]["message"] == "not looked at: this user may not read commands"
        assert await stop(worker) == await stop(relay) == 0, worker.tail() + relay.tail()


def _line(number: int) -> dict[str, Any]:
    sent = create(f"b-{number}")
    return {"type": "create-booking", "data": json.loads(sent.value or b"")}


FORBIDDEN = [
    ("bookstream-worker", "write", "booking-commands"),
    ("bookstream-worker", "write", "booking-events"),
    ("bookstream-worker", "read", "booking-events"),
    ("bookstream-relay", "write", "booking-commands"),
    ("bookstream-relay", "write", "commands-replay"),
    ("bookstream-relay", "read", "booking-commands"),
    ("bookstream-relay", "read", "booking-events"),
    ("bookstream-topics-check", "write", "internal-commands"),
    ("bookstream-topics-check", "read", "commands-dlq"),
    ("bookstream-autoscaler", "read", "booking-commands"),
    ("bookstream-autoscaler", "write", "commands-replay"),
    ("bookstream-dlq-replay", "write", "booking-commands"),
    ("bookstream-dlq-replay", "read", "booking-events"),
]


@pytest.mark.parametrize("by", ["certificate", "password"])
async def test_what_is_not_granted_is_refused(
    stage: Stage, secured_kafka: SecuredKafka, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No user of the service can forge a command, or read what is not its business; nor join another group."""
    assert stage.broker.bootstrap == secured_kafka.bootstrap
    for user, verb, topic in FORBIDDEN:
        given = secured_kafka.by_certificate(user) if by == "certificate" else secured_kafka.by_password(user)
        options = _options(monkeypatch, given)
        async with AIOKafkaConsumer(**options) as consumer:
            visible = await consumer.topics()
        assert visible, f"{user} may do nothing at all"
        # Who may read or write may also see: what is hidden is refused.
        if topic in visible:
            with pytest.raises(TopicAuthorizationFailedError):
                await (_write(options, topic) if verb == "write" else _read(options, topic))
    with pytest.raises(GroupAuthorizationFailedError):
        await _join(_options(monkeypatch, secured_kafka.by_certificate("bookstream-worker")), "another")


def _options(monkeypatch: pytest.MonkeyPatch, given: Mapping[str, str]) -> dict[str, Any]:
    """What clients are given by these settings."""
    with monkeypatch.context() as patched:
        for name, value in given.items():
            patched.setenv(name, value)
        return load_settings().kafka_options()


async def _write(options: Mapping[str, Any], topic: str) -> None:
    producer = AIOKafkaProducer(**options)
    await producer.start()
    try:
        await producer.send_and_wait(topic, b"x", b"x", partition=0)
    finally:
        await producer.stop()


async def _read(options: Mapping[str, Any], topic: str) -> None:
    async with AIOKafkaConsumer(**options, enable_auto_commit=False) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek(TopicPartition(topic, 0), 0)
        await asyncio.wait_for(consumer.getone(), 20)


async def _join(options: Mapping[str, Any], group: str) -> None:
    consumer = AIOKafkaConsumer("booking-commands", **options, group_id=group, enable_auto_commit=False)
    try:
        await consumer.start()
        await asyncio.wait_for(consumer.getone(), 20)
    finally:
        await consumer.stop()


async def test_who_is_not_who_it_should_be(stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path) -> None:
    """A broker of another CA or name, no certificate, a wrong password, plain text: each ends with its cause told."""
    kafka, security = secured_kafka, "BOOKSTREAM_KAFKA_SECURITY_"
    mine = kafka.by_certificate("bookstream-topics-check")
    other = {**mine, f"{security}SSL_CA_FILE": str(Authority(tmp_path, "other").ca)}
    renamed = {**mine, "BOOKSTREAM_KAFKA_BOOTSTRAP": kafka.at("MUTUAL", "localhost")}
    nobody = {name: value for name, value in mine.items() if not re.search("CERTIFICATE|KEY", name)}
    mistaken = {**kafka.by_password("bookstream-worker"), f"{security}SASL_PASSWORD": "mistaken"}
    plain = {"BOOKSTREAM_KAFKA_BOOTSTRAP": kafka.at("MUTUAL")}
    cases = [
        (other, "unable to get local issuer certificate"),
        (renamed, "certificate is not valid for 'localhost'"),
        (nobody, "closed"),
        (mistaken, "invalid credentials with SASL mechanism SCRAM-SHA-512"),
        (plain, "closed"),
    ]
    looks = await asyncio.gather(*(finished(known(stage, each), ["doctor", "--json"]) for each, _ in cases))
    for (code, out, said), (_, told) in zip(looks, cases, strict=True):
        assert code == 1
        (found,) = [one for one in json.loads(out)["findings"] if one["check"] == "kafka"]
        assert told in found["message"]
        assert "BOOKSTREAM_KAFKA_SECURITY_*" in found["remedy"]
        assert "mistaken" not in out + said
    ended = await checked(known(stage, other))
    assert ended[0] == 1
    assert "unable to get local issuer certificate" in ended[2]


@pytest.mark.parametrize("way", ["tls alone", "SCRAM-SHA-256", "PLAIN in the clear"])
async def test_the_other_ways_in(stage: Stage, secured_kafka: SecuredKafka, way: str) -> None:
    """TLS without a certificate, the other SCRAM, and PLAIN without TLS."""
    kafka = secured_kafka
    alone = {
        "BOOKSTREAM_KAFKA_BOOTSTRAP": kafka.at("ENCRYPTED"),
        "BOOKSTREAM_KAFKA_SECURITY_PROTOCOL": "SSL",
        "BOOKSTREAM_KAFKA_SECURITY_SSL_CA_FILE": str(kafka.authority.ca),
    }
    given = {
        "tls alone": alone,
        "SCRAM-SHA-256": kafka.by_password("bookstream-topics-check", "SCRAM-SHA-256"),
        "PLAIN in the clear": kafka.by_password(kafka.first, "PLAIN", "CLEAR"),
    }[way]
    code, out, _ = await checked(known(stage, given))
    if way == "PLAIN in the clear":
        # The first user may see what the worker consumes, and for it the rest is not there.
        assert (code, "booking-commands" in out, "booking-events: does not exist" in out) == (1, False, True)
    else:
        assert (code, out) == (0, "every topic is as wanted\n")


async def test_files_are_read_again(
    stage: Stage, secured_kafka: SecuredKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate that is replaced is used by the next connection; one that is spoilt leaves the former in use."""
    files = tmp_path / "user"
    files.mkdir()
    mine = secured_kafka.pairs["bookstream-topics-check"]
    for name, value in secured_kafka.by_certificate("bookstream-topics-check").items():
        monkeypatch.setenv(name, value)
    stranger = secured_kafka.pairs[STRANGER]
    certificate, key = files / "user.crt", files / "user.key"
    certificate.write_bytes(stranger.certificate.read_bytes())
    key.write_bytes(stranger.key.read_bytes())
    monkeypatch.setenv("BOOKSTREAM_KAFKA_SECURITY_SSL_CERTIFICATE_FILE", str(certificate))
    monkeypatch.setenv("BOOKSTREAM_KAFKA_SECURITY_SSL_KEY_FILE", str(key))
    options = load_settings().kafka_options()

    async def sees() -> bool:
        async with AIOKafkaConsumer(**options) as consumer:
            return "internal-commands" in await consumer.topics()

    assert not await sees()
    certificate.write_bytes(mine.certificate.read_bytes())
    key.write_bytes(mine.key.read_bytes())
    await until(sees)
    key.write_bytes(b"spoilt")
    assert await sees()
    certificate.unlink()
    assert await sees()
