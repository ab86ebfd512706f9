"""A collector of OpenTelemetry as far as tests need one: it takes spans over OTLP/HTTP and keeps them."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from service.embedded.process import LOOPBACK


@dataclass(frozen=True, slots=True)
class Told:
    """A span as it was exported; ids are hexadecimal, `links` are pairs of trace and span."""

    resource: dict[str, Any]
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, Any]
    links: list[tuple[str, str]]


@dataclass(slots=True)
class Collector:
    """What was exported to it so far; `status` is what it answers."""

    url: str = ""
    status: int = 200
    requests: int = 0
    raw: list[bytes] = field(default_factory=list)
    spans: list[Told] = field(default_factory=list)

    def take(self, path: str, body: bytes) -> None:
        """Keeps the spans of a request."""
        self.requests += 1
        if self.status == 200:
            assert path == "/v1/traces", path
            self.raw.append(body)
            self.spans += _spans(ExportTraceServiceRequest.FromString(body))

    def named(self, name: str) -> list[Told]:
        """The spans with this name."""
        return [span for span in self.spans if span.name == name]


@contextmanager
def collector() -> Iterator[Collector]:
    """A collector that runs on a free port."""
    found = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.take(self.path, gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(found.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    found.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[Told]:
    for group in request.resource_spans:
        for scope in group.scope_spans:
            for span in scope.spans:
                yield Told(
                    _plain(group.resource.attributes),
                    span.name,
                    Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
                    span.trace_id.hex(),
                    span.span_id.hex(),
                    span.parent_span_id.hex(),
                    span.start_time_unix_nano,
                    span.end_time_unix_nano,
                    span.status.code == 2,
                    _plain(span.attributes),
                    [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                )


def _plain(attributes: Any) -> dict[str, Any]:
    pairs: list[KeyValue] = list(attributes)
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
