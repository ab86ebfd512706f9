"""PostgreSQL and a Kafka-compatible broker on loopback, from wheels, for the demo and for tests."""

from service.embedded.broker import EmbeddedBroker
from service.embedded.postgres import EmbeddedPostgres
from service.embedded.process import EmbeddedServerError

__all__ = ["EmbeddedBroker", "EmbeddedPostgres", "EmbeddedServerError"]
