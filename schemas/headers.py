"""Names on the wire: headers, types of messages, topics."""

from dataclasses import dataclass
from typing import Final

CE_SPECVERSION: Final = "ce_specversion"
CE_ID: Final = "ce_id"
CE_SOURCE: Final = "ce_source"
CE_TYPE: Final = "ce_type"
CE_SUBJECT: Final = "ce_subject"
CE_TIME: Final = "ce_time"
CE_EXPIRYTIME: Final = "ce_expirytime"
CE_CORRELATIONID: Final = "ce_correlationid"
CE_CAUSATIONID: Final = "ce_causationid"
CE_REPLYTO: Final = "ce_replyto"
CE_SEQUENCE: Final = "ce_sequence"
CE_DATASCHEMA: Final = "ce_dataschema"
TRACEPARENT: Final = "traceparent"
CONTENT_TYPE: Final = "content-type"

CLIENT: Final = "bookstream-client"
WEBHOOK_ID: Final = "webhook-id"
WEBHOOK_TIMESTAMP: Final = "webhook-timestamp"
WEBHOOK_SIGNATURE: Final = "webhook-signature"

DLQ_REASON: Final = "dlq_reason"
DLQ_DETAIL: Final = "dlq_detail"
DLQ_TOPIC: Final = "dlq_topic"
DLQ_PARTITION: Final = "dlq_partition"
DLQ_OFFSET: Final = "dlq_offset"
# Of a batch that can't be read alone, with the reason that says so.
DLQ_LAST_OFFSET: Final = "dlq_last_offset"
DLQ_FAILED_AT: Final = "dlq_failed_at"
DLQ_ATTEMPTS: Final = "dlq_attempts"
DLQ_CLIENT: Final = "dlq_client"
DLQ_APPENDED_AT: Final = "dlq_appended_at"
# What a dead letter has beside the headers of its record.
DLQ_HEADERS: Final = frozenset(
    {
        DLQ_REASON,
        DLQ_DETAIL,
        DLQ_TOPIC,
        DLQ_PARTITION,
        DLQ_OFFSET,
        DLQ_FAILED_AT,
        DLQ_ATTEMPTS,
        DLQ_CLIENT,
        DLQ_APPENDED_AT,
    }
)

CREATE_BOOKING: Final = "create-booking"
UPDATE_BOOKING: Final = "update-booking"
CREATE_VISIT: Final = "create-visit"
UPDATE_VISIT: Final = "update-visit"
STATE_ACTION: Final = "state-action"
CONFIGURE_LOCATION: Final = "configure-location"
ERASE_PERSON: Final = "erase-person"
BOOKING_CHANGED: Final = "booking-changed"
VISIT_CHANGED: Final = "visit-changed"
BOOKING_SNAPSHOT: Final = "booking-snapshot"
VISIT_SNAPSHOT: Final = "visit-snapshot"
COMMAND_REFUSED: Final = "command-refused"
COMMAND_ACCEPTED: Final = "command-accepted"

SPECVERSION: Final = "1.0"
SERVICE_SOURCE: Final = "/bookstream"
JSON: Final = "application/json"
PROBLEM_JSON: Final = "application/problem+json"
CLOUDEVENTS_JSON: Final = "application/cloudevents+json"

BOOKING_COMMANDS: Final = "booking-commands"
VISIT_COMMANDS: Final = "visit-commands"
INTERNAL_COMMANDS: Final = "internal-commands"
COMMANDS_REPLAY: Final = "commands-replay"
BOOKING_EVENTS: Final = "booking-events"
VISIT_EVENTS: Final = "visit-events"
COMMAND_RESULTS: Final = "command-results"
COMMANDS_DLQ: Final = "commands-dlq"

SCHEMA_VERSION: Final = 1


def dataschema(name: str) -> str:
    """Returns the URI of the JSON Schema of a message type."""
    return f"urn:bookstream:schema:{name}.v{SCHEMA_VERSION}"


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic by its logical name, without the configured prefix."""

    name: str
    key: str
    holds: str
    writers: str


TOPICS: Final = (
    Topic(BOOKING_COMMANDS, "booking id", "booking commands of integrators and guests", "integrators, action links"),
    Topic(VISIT_COMMANDS, "visit id", "visit commands of integrators", "integrators, action links"),
    Topic(INTERNAL_COMMANDS, "aggregate id", "any command, actor internal or system", "internal systems, the service"),
    Topic(COMMANDS_REPLAY, "original key", "dead letters sent again", "bookstream dlq replay"),
    Topic(BOOKING_EVENTS, "booking id", "booking-changed, booking-snapshot", "the service"),
    Topic(VISIT_EVENTS, "visit id", "visit-changed, visit-snapshot", "the service"),
    Topic(COMMAND_RESULTS, "aggregate id, else command id", "command-refused, command-accepted", "the service"),
    Topic(COMMANDS_DLQ, "original key", "what is no command, and what broke the service", "the service"),
)
