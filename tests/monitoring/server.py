"""A Prometheus that scrapes processes of the service every second, with the rules of production."""

import json
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

import yaml

from service.embedded.process import LOOPBACK, ServerProcess, free_port

NAMESPACE: Final = "bookstream"
JOB: Final = "bookstream/bookstream"
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0
_ASK_SECONDS: Final = 10.0

Sample = tuple[Mapping[str, str], float]


class Prometheus:
    """The server; use as a context manager."""

    def __init__(self, program: Path, directory: Path, rules: Path, pods: Mapping[str, str]) -> None:
        """`pods` are the addresses to scrape, by name."""
        self._program = program
        self._directory = directory
        self._port = free_port()
        config = {
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(rules)],
            "scrape_configs": [
                {
                    "job_name": JOB,
                    "static_configs": [
                        {"targets": [address], "labels": {"namespace": NAMESPACE, "pod": name}}
                        for name, address in pods.items()
                    ],
                }
            ],
        }
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
        self._process: ServerProcess | None = None

    def __enter__(self) -> Self:
        command: list[str | Path] = [
            self._program,
            f"--config.file={self._directory / 'prometheus.yaml'}",
            f"--storage.tsdb.path={self._directory / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
        ]
        self._process = ServerProcess(command, log=self._directory / "prometheus.log")
        assert self._process.came_up(self._is_ready, _START_SECONDS), self._process.tail()
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process is not None
        self._process.signal(signal.SIGTERM)
        self._process.wait(_STOP_SECONDS)

    def query(self, expr: str) -> list[Sample]:
        """The samples that an expression has now; ValueError with Prometheus' words where it is none."""
        answer = self._get("/api/v1/query?" + urllib.parse.urlencode({"query": expr}))
        if answer["status"] != "success":
            raise ValueError(f"{expr}: {answer['error']}")
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [({}, float(data["result"][1]))]
        return [(each["metric"], float(each["value"][1])) for each in data["result"]]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with its health and its alerts."""
        groups = self._get("/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}/-/ready", timeout=_ASK_SECONDS) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{self._port}{path}", timeout=_ASK_SECONDS) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                found = json.load(error)
        return found
