import hmac
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.decode.json_value import NotJson
from service.decode.link import FORGED
from service.domain.link import Link
from service.domain.model import Refused
from service.links.token import read_token
from service.telemetry.probes import Connection
from tests.fuzz.__main__ import TARGETS
from tests.fuzz.engine import run

# Together some seconds of one processor; long runs are by hand.
CASES = {
    "batches": 4000,
    "decode": 20_000,
    "signature": 20_000,
    "merge": 10_000,
    "graphs": 5000,
    "links": 20_000,
    "probes": 5000,
}
SEED = 1


class Equal(SimpleNamespace):
    """The module hmac, to which everything is equal."""

    digest = staticmethod(hmac.digest)

    @staticmethod
    def compare_digest(*_: object) -> bool:
        """Compares nothing."""
        return True


def _keeps_nulls(old: Any, patch: Any) -> dict[str, Any]:
    return {**(old or {}), **patch}


def _for_any_target(token: str, secrets: Mapping[int, bytes], *_: object) -> Link | Refused:
    bearer = read_token(token, secrets)
    return FORGED if bearer is None else bearer.link


BREAKS: dict[str, tuple[str, str, object]] = {
    "broken records": ("batches", "service.consume.fetched._BROKEN", ()),
    "no bound of headers": ("batches", "service.consume.expand.zlib.error", LookupError),
    "JSON that is none": ("decode", "service.decode.envelope.NotJson", type("Other", (NotJson,), {})),
    "a raised sender": ("decode", "service.decode.authenticate.INTERNAL_TOPIC", "booking-commands"),
    "any signature": ("signature", "service.decode.signature.hmac", Equal()),
    "any age": ("signature", "service.decode.signature.MAX_AGE_MS", 10**15),
    "headers twice": ("signature", "service.decode.signature._ambiguous", lambda _: False),
    "nulls are kept": ("merge", "service.domain.merge.merge_object", _keeps_nulls),
    "nothing is compared": ("graphs", "service.graphs.loader.check_draft", lambda _: None),
    "any token": ("links", "service.links.token.hmac", Equal()),
    "any target": ("links", "service.decode.record.prove", _for_any_target),
    "a second answer": ("probes", "service.telemetry.probes.Connection.send_400_response",
                        H11Protocol.send_400_response),
    "a tunnel": ("probes", "service.telemetry.probes.METHODS", ("GET", "HEAD", "CONNECT")),
}  # fmt: skip


def test_every_target_is_run() -> None:
    """A target without its number of cases is named."""
    assert set(CASES) == set(TARGETS) == {name for name, *_ in BREAKS.values()}


@pytest.mark.parametrize("name", TARGETS)
def test_no_case_breaks_a_target(name: str) -> None:
    """Whatever bytes come, what comes out is what is documented, bounded, and raises nobody."""
    outcome = run(TARGETS[name], SEED, most=CASES[name])
    assert outcome.finding is None, str(outcome.finding)
    assert outcome.cases == CASES[name]


@pytest.mark.parametrize(("name", "place", "broken"), [pytest.param(*each, id=key) for key, each in BREAKS.items()])
def test_a_break_is_found(name: str, place: str, broken: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With a check of the service taken out, the same cases find it."""
    assert Connection.send_400_response is not H11Protocol.send_400_response
    monkeypatch.setattr(place, broken)
    assert run(TARGETS[name], SEED, most=5 * CASES[name]).finding is not None
