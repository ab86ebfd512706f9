"""`bookstream demo`: the whole service on this machine for a moment, and a day in Oslo that runs through it."""

from service.cli.demo.command import demo

__all__ = ["demo"]
