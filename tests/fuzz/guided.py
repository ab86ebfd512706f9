"""Runs one target under libFuzzer, which keeps the cases that reach new code, and never returns.

python -m tests.fuzz.guided MODULE OPTIONS...

A process of its own, since the service is instrumented while it is imported. `python -m tests.fuzz --guided` starts it.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Final

LIBRARY: Final = "atheris"
MISSING: Final = (
    f"coverage-guided fuzzing needs {LIBRARY}, which has wheels for Linux on x86-64 alone: pip install {LIBRARY}\n"
)


def is_there() -> bool:
    """Whether this machine has the library."""
    return find_spec(LIBRARY) is not None


def main(arguments: Sequence[str]) -> None:
    """Tries cases until the options of libFuzzer end it; ends with what is no 0 at the first finding."""
    module, *options = arguments
    atheris = import_module(LIBRARY)
    with atheris.instrument_imports(include=["service", "schemas", module]):
        target = import_module(module).target
    atheris.Setup([module, *options], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
