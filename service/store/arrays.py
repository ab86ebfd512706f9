"""Lets asyncpg see quickly that an element of an array is no array itself.

It asks abstract base classes for each element, which is a tenth of what sending a batch costs. Arrays are lists or
tuples here, so that asking for these tells the same.
"""

from typing import Any

from asyncpg.protocol import protocol


def install() -> None:
    """Make asyncpg of this process take lists and tuples alone for arrays; again is harmless."""
    internals: Any = protocol
    internals.IterableABC = (list, tuple)
