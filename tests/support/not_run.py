"""Tests that need what this machine has not are left out, and the run says so at its very end."""

import shutil
from collections import Counter
from collections.abc import Callable, Collection, Generator
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.support import faketime
from tests.support import kafka as kafka_support
from tests.support.crd_schemas import REMEDY as SCHEMAS_REMEDY
from tests.support.crd_schemas import crd_schemas
from tests.support.kafka_jars import fetch_jars
from tests.support.node import node
from tests.support.postgres_tls import REMEDY as POSTGRES_TLS_REMEDY
from tests.support.postgres_tls import binaries as postgres_with_tls
from tests.support.prometheus import REMEDY as PROMETHEUS_REMEDY
from tests.support.prometheus import program
from tests.support.released import first_release
from tests.support.small_disk import REMEDY as MOUNT_REMEDY
from tests.support.small_disk import require_mount
from tests.support.stack import NotHereError, real_kafka_is_owed

_FOLDERS = frozenset({"kafka", "e2e"})
LANGUAGES = ("go", "java", "node")
_TESTS = Path(__file__).resolve().parent.parent


class NotRun:
    """A pytest plugin."""

    def __init__(self, config: pytest.Config) -> None:
        """Report for the run of `config`."""
        self._config = config
        self._left_out: list[pytest.Item] = []
        self._reasons: list[str] = []
        self._owed = False

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Take out what cannot run; servers are looked for only where a selected test needs them."""
        if config.option.collectonly:
            return
        self._leave_out(items, _needs_kafka, _why_no_kafka)
        self._leave_out(items, _needs_nodes, _why_no_nodes)
        self._leave_out(items, _needs_node_js, _why_no_node_js)
        self._leave_out(items, _needs_prometheus, _why_no_prometheus)
        self._leave_out(items, _needs_faketime, _why_no_faketime)
        # Rights that a run was not given are not its debt.
        self._leave_out(items, _needs_mount, _why_no_mount, owed=False)
        for name in LANGUAGES:
            # Which languages a machine has is its own affair.
            needs, why_not = partial(_needs_language, name=name), partial(_why_no_language, name)
            self._leave_out(items, needs, why_not, owed=False)
        # It has wheels for one platform alone.
        self._leave_out(items, _needs_atheris, _why_no_atheris, owed=False)
        # Nobody's tools bring these schemas, so that no run can owe them.
        self._leave_out(items, _needs_crd_schemas, _why_no_crd_schemas, owed=False)
        # The server in the wheel has no TLS, and a server can't be fetched without the libraries that it needs.
        self._leave_out(items, _needs_postgres_tls, _why_no_postgres_tls, owed=False)
        # Where a tree was copied without its history, nothing can bring it back.
        self._leave_out(items, _needs_history, _why_no_history, owed=False)
        if self._left_out:
            config.hook.pytest_deselected(items=self._left_out)

    def _leave_out(
        self,
        items: list[pytest.Item],
        needs: Callable[[pytest.Item], bool],
        why_not: Callable[[], str | None],
        *,
        owed: bool = True,
    ) -> None:
        needing = [item for item in items if needs(item)]
        reason = why_not() if needing else None
        if reason is not None:
            self._left_out += needing
            self._reasons.append(reason)
            self._owed = self._owed or owed
            items[:] = [item for item in items if not needs(item)]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(
        self, session: pytest.Session, exitstatus: int | pytest.ExitCode
    ) -> Generator[None, None, None]:
        """Set the exit code before, and write the account after, everything that pytest itself writes."""
        owed = self._owed and real_kafka_is_owed()
        if self._left_out and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if owed else pytest.ExitCode.OK
        yield
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if not self._left_out or not isinstance(reporter, pytest.TerminalReporter):
            return
        reporter.write_line("not run, since they need what this machine does not have:")
        for path, count in _by_file(self._left_out).items():
            reporter.write_line(f"  {path}: {count}")
        for reason in self._reasons:
            reporter.write_line(f"why: {reason}")
        node_js = "Node.js with npm for the AsyncAPI parser"
        remedies = (
            kafka_support.REMEDY,
            node_js,
            PROMETHEUS_REMEDY,
            faketime.REMEDY,
            MOUNT_REMEDY,
            SCHEMAS_REMEDY,
            POSTGRES_TLS_REMEDY,
            "a clone with its history",
        )
        reporter.write_line(f"remedy: {'; '.join(remedies)}")
        if owed:
            reporter.write_line("CI or BROKER=kafka asks for them, so this run has failed", red=True)
        reporter.write_line(f"{len(self._left_out)} not run")


def _needs_kafka(item: pytest.Item) -> bool:
    folder = item.path.relative_to(_TESTS).parts[0] if item.path.is_relative_to(_TESTS) else ""
    return folder in _FOLDERS or item.get_closest_marker("kafka") is not None or "kafka" in _fixtures(item)


def _why_no_kafka() -> str | None:
    found = kafka_support.find()
    return found.explain() if found.source is None else None


def _needs_nodes(item: pytest.Item) -> bool:
    """Nodes that a test may kill, or whose listeners are its own, come only from the jars."""
    own = not {"kafka_cluster", "secured_kafka"}.isdisjoint(_fixtures(item))
    return own or item.get_closest_marker("nodes") is not None


def _why_no_nodes() -> str | None:
    try:
        fetch_jars()
    except NotHereError as reason:
        return f"nodes of Apache Kafka of the test's own: {reason}"
    return None


def _needs_node_js(item: pytest.Item) -> bool:
    return item.get_closest_marker("node") is not None


def _why_no_node_js() -> str | None:
    try:
        node()
    except NotHereError as reason:
        return f"the official AsyncAPI parser: {reason}"
    return None


def _needs_prometheus(item: pytest.Item) -> bool:
    return not {"promtool", "prometheus"}.isdisjoint(_fixtures(item))


def _why_no_prometheus() -> str | None:
    try:
        for name in ("promtool", "prometheus"):
            program(name)
    except NotHereError as reason:
        return f"Prometheus: {reason}"
    return None


def _needs_atheris(item: pytest.Item) -> bool:
    return item.get_closest_marker("atheris") is not None


def _why_no_atheris() -> str | None:
    return None if find_spec("atheris") else "coverage-guided fuzzing: atheris is not installed"


def _needs_language(item: pytest.Item, name: str) -> bool:
    return any(mark.args == (name,) for mark in item.iter_markers("language"))


def _why_no_language(name: str) -> str | None:
    return None if shutil.which(name) else f"examples in other languages: {name} is not on the path"


def _needs_faketime(item: pytest.Item) -> bool:
    return "jumping_clocks" in _fixtures(item)


def _why_no_faketime() -> str | None:
    try:
        faketime.library()
    except NotHereError as reason:
        return f"clocks that jump: {reason}"
    return None


def _needs_mount(item: pytest.Item) -> bool:
    return "full_disk" in _fixtures(item)


def _why_no_mount() -> str | None:
    try:
        require_mount()
    except NotHereError as reason:
        return f"a disk that fills up: {reason}"
    return None


def _needs_crd_schemas(item: pytest.Item) -> bool:
    return "schemas_of_operators" in _fixtures(item)


def _why_no_crd_schemas() -> str | None:
    try:
        crd_schemas()
    except NotHereError as reason:
        return f"schemas of the operators' objects: {reason}"
    return None


def _needs_postgres_tls(item: pytest.Item) -> bool:
    return "tls_postgres" in _fixtures(item)


def _why_no_postgres_tls() -> str | None:
    try:
        postgres_with_tls()
    except NotHereError as reason:
        return f"PostgreSQL with TLS: {reason}"
    return None


def _needs_history(item: pytest.Item) -> bool:
    return "released_code" in _fixtures(item)


def _why_no_history() -> str | None:
    try:
        first_release()
    except NotHereError as reason:
        return f"the code of the first release: {reason}"
    return None


def _fixtures(item: pytest.Item) -> Collection[str]:
    return getattr(item, "fixturenames", ())


def _by_file(items: list[pytest.Item]) -> Counter[str]:
    return Counter(item.nodeid.partition("::")[0] for item in items)
