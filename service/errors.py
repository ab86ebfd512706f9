"""Failures of the shell, and what the consumer does with each.

    ServiceError
    ├── PartitionLost      drop the batch and read the partition's position again: another process owns it
    ├── Paused             drop the batch; its partitions wait until consumption goes on
    ├── StoreUnavailable   keep the batch, try again with back-off; heartbeats go on
    ├── SettingsError      stop the start with exit code 2
    └── SchemaMismatch     stop the start with exit code 1: `bookstream migrate` is needed

What a command did wrong is no exception: it is a refusal (`domain.model.Refused`) or a dead letter.
"""


class ServiceError(Exception):
    """Base of everything the shell raises on purpose."""


class PartitionLost(ServiceError):
    """Another process has moved the progress of a partition in this batch; nothing was changed."""


class Paused(ServiceError):
    """Consumption is paused in all processes; nothing was changed."""


class StoreUnavailable(ServiceError):
    """PostgreSQL cannot take the batch now; nothing was changed."""


class SettingsError(ServiceError):
    """A setting is wrong; the message names it, says why, and gives an example."""


class SchemaMismatch(ServiceError):
    """The database is not at this version's schema."""
