"""Small graphs that are right, and what is told when something is written into them."""

from pathlib import Path
from typing import Final

import pytest

from service.graphs.loader import load_graphs
from service.graphs.validate import GraphError

HOTEL: Final = """
aggregate = "booking"
initial = "asked"

[states.asked]
[states.held]
[states.gone]

[actions.hold]
from = ["asked"]
to = "held"
actors = ["internal", "system"]
inputs.room = { kind = "text", max_length = 20 }
autoplay = { after = "5m", relative_to = "entry" }

[actions.leave]
from = ["asked", "held"]
to = "gone"
actors = "all"
"""

LIFT: Final = """
aggregate = "booking"
initial = "ground"
levels = true

[states.ground]
level = 0

[states.first]
level = 1

[states.roof]
level = 2
access = "read_only"

[actions.rise]
to = "first"
actors = "all"

[actions.leap]
to = "roof"
actors = "all"
"""

PRESENCE: Final = """
aggregate = "visit"
initial = "here"

[states.here]
[states.gone]
final = true

[actions.leave]
from = ["here"]
to = "gone"
actors = "all"

[actions.return]
from = ["gone"]
to = "here"
actors = "all"
"""

NAMES: Final = "is not lower snake_case of at most 64 characters"
NOT_NAMES: Final = "a list of different names, not empty"
DURATION: Final = 'a duration such as "90s", "5m", "1h" or "2d", at most 3660 days'


def mistakes(directory: Path, text: str, name: str = "hotel.toml") -> tuple[str, ...]:
    """What loading the text as a file of this name tells, a line for each mistake."""
    (directory / name).write_text(text, encoding="utf-8")
    with pytest.raises(GraphError) as raised:
        load_graphs(directory)
    assert str(raised.value).splitlines() == list(raised.value.mistakes)
    return raised.value.mistakes
