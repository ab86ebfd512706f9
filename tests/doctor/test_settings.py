"""What the doctor says about settings, and how the command tells findings."""

import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from service.doctor.examine import examine, examine_settings
from service.doctor.finding import Severity
from service.settings import Settings
from service.topics import Topics, wanted
from tests.cli.command_line import finished
from tests.doctor.harness import bad
from tests.e2e.broker import Broker
from tests.e2e.process import environment

Make = Callable[..., Settings]


def test_signing(settings: Make) -> None:
    """Off is a warning, required is as it should be."""
    assert bad(examine_settings(settings())[0])["settings.signing"][0] is Severity.WARNING
    assert "settings.signing" not in bad(examine_settings(settings(signing="required"))[0])


def test_copies(settings: Make) -> None:
    """Fewer than three copies are a warning."""
    assert bad(examine_settings(settings(replication=1))[0])["settings.replication"][0] is Severity.WARNING
    assert "settings.replication" not in bad(examine_settings(settings(replication=3))[0])


def test_a_graph_with_a_mistake(settings: Make, tmp_path: Path) -> None:
    """The file is named; what needs graphs is left out."""
    (tmp_path / "own.toml").write_text('aggregate = "booking"\ninitial = "nowhere"\n', encoding="utf-8")
    findings, graphs = examine_settings(settings(graphs_dir=tmp_path))
    assert graphs is None
    assert bad(findings)["graphs"][0] is Severity.PROBLEM
    assert "own.toml" in bad(findings)["graphs"][1]


async def test_everything_at_once(settings: Make) -> None:
    """Nothing answers: settings, PostgreSQL and Kafka are told all the same."""
    found = bad(await examine(settings()))
    assert {check for check, (severity, _) in found.items() if severity is Severity.PROBLEM} == {"postgres", "kafka"}


async def test_the_command_on_sound_servers(kafka: str, topic_prefix: str, sound_url: str) -> None:
    """Warnings alone: exit code 0; each finding in a line, or all of them as JSON."""
    async with Topics({"bootstrap_servers": kafka}) as cluster:
        await cluster.create_missing(wanted(prefix=topic_prefix, partitions=12, replication=1))
    sound = environment(Broker(kafka, topic_prefix), sound_url)
    code, out, said = await finished(sound, ["doctor", "--json"])
    assert code == 0, out + said
    told = json.loads(out)
    assert told["counts"]["warning"] == 2
    assert {finding["severity"] for finding in told["findings"]} == {"ok", "warning"}
    assert set(told["findings"][0]) == {"check", "severity", "message", "remedy"}
    code, out, _ = await finished(sound, ["doctor"])
    assert code == 0
    assert out.splitlines()[-1] == "0 problems, 2 warnings"
    assert "warning  settings.signing: " in out
    assert "\033[" not in out


async def test_the_command_on_problems(empty_database_url: str) -> None:
    """Problems: exit code 1, each with its remedy, and no traceback; the password is not told."""
    parts = urlsplit(empty_database_url)
    url = parts._replace(netloc=f"{parts.username}:hush@{parts.hostname}:{parts.port}").geturl()
    code, out, said = await finished(environment(Broker("127.0.0.1:1", "x."), url), ["doctor"])
    assert code == 1
    assert "remedy: bookstream migrate" in out
    assert "BOOKSTREAM_KAFKA_BOOTSTRAP" in out
    assert "Traceback" not in out + said
    assert "hush" not in out + said


@pytest.mark.parametrize("form", [[], ["--json"]])
async def test_the_command_on_settings_that_can_not_be_read(form: list[str]) -> None:
    """Each wrong setting is a finding of its own."""
    wrong = {"BOOKSTREAM_PARTITIONS": "many", "BOOKSTREAM_REPLICATION": "none"}
    settings = environment(Broker("127.0.0.1:1", "x."), "postgresql://x@127.0.0.1:1/x", **wrong)
    code, out, _ = await finished(settings, ["doctor", *form])
    assert code == 1
    assert all(name in out for name in wrong)
    assert "BOOKSTREAM_CONFIG" in out
