"""`bookstream dlq`: the dead letters, and how they are sent again."""

from service.cli.dlq.command import dlq

__all__ = ["dlq"]
