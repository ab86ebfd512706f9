"""A picture of a run: the pace of commands and events over time, and a bar for each fault with its recovery."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final
from xml.sax.saxutils import escape

from tests.faults.report import Report, Sample
from tests.faults.trial import Trial

WIDTH: Final = 1600
_LEFT: Final = 110
_CURVES: Final = 160
_ROW: Final = 22
_AREAS: Final = ("worker", "relay", "clock", "postgresql", "kafka", "senders")
_HEIGHT: Final = _CURVES + _ROW * len(_AREAS) + 80
_STYLE: Final = (
    "text{font:12px sans-serif;fill:#333}.fault{fill:#c0392b}.recovery{fill:#f0b27a}.acknowledged{stroke:#7f8c8d}"
    ".events{stroke:#2471a3}.curve{fill:none;stroke-width:1.5}.axis{stroke:#bbb}"
)


def draw(report: Report) -> str:
    """Draws a run as SVG."""
    seconds = max([report.seconds, *(trial.over + (trial.first or 0) for trial in report.trials), 1.0])
    scale = (WIDTH - _LEFT - 10) / seconds
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{_HEIGHT}">',
            f"<style>{_STYLE}</style>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            f'<text x="10" y="18">{escape(_title(report))}</text>',
            *_curves(report.samples, scale),
            *_rows(report.trials, scale),
            *_axis(seconds, scale),
            "</svg>\n",
        )
    )


def _title(report: Report) -> str:
    return f"seed {report.seed}: {len(report.trials)} faults, {report.commands} commands, {report.verdict}"


def _curves(samples: Sequence[Sample], scale: float) -> Iterator[str]:
    paces = {
        "acknowledged": [
            (b.moment, (b.acknowledged - a.acknowledged) / (b.moment - a.moment)) for a, b in pairwise(samples)
        ],
        "events": [(b.moment, (b.events - a.events) / (b.moment - a.moment)) for a, b in pairwise(samples)],
    }
    most = max([pace for points in paces.values() for _, pace in points], default=1.0) or 1.0
    yield f'<text x="10" y="50">{most:.0f}/s</text><text x="10" y="{_CURVES + 30}">0/s</text>'
    for number, (name, points) in enumerate(paces.items()):
        drawn = " ".join(
            f"{_LEFT + moment * scale:.1f},{30 + _CURVES * (1 - pace / most):.1f}" for moment, pace in points
        )
        yield f'<polyline class="curve {name}" points="{drawn}"/>'
        x = WIDTH - 260 + number * 130
        yield f'<text x="{x}" y="18">{name}</text>'
        yield f'<line class="curve {name}" x1="{x - 30}" x2="{x - 5}" y1="14" y2="14"/>'


def _rows(trials: Sequence[Trial], scale: float) -> Iterator[str]:
    for number, area in enumerate(_AREAS):
        y = _CURVES + 45 + number * _ROW
        yield f'<text x="10" y="{y + 13}">{area}</text>'
        for trial in trials:
            if trial.area == area:
                begin, over = _LEFT + trial.begin * scale, _LEFT + trial.over * scale
                told = escape(f"{trial.told}: first event {trial.first} s after")
                yield f"<g><title>{told}</title>{_bar('fault', begin, over, y)}"
                yield f"{_bar('recovery', over, over + (trial.first or 0) * scale, y)}</g>"


def _bar(kind: str, begin: float, end: float, y: int) -> str:
    width = max(end - begin, 1.5)
    return f'<rect class="{kind}" x="{begin:.1f}" y="{y}" width="{width:.1f}" height="{_ROW - 6}"/>'


def _axis(seconds: float, scale: float) -> Iterator[str]:
    y = _CURVES + 50 + _ROW * len(_AREAS)
    yield f'<line class="axis" x1="{_LEFT}" x2="{WIDTH - 10}" y1="{y}" y2="{y}"/>'
    for part in range(11):
        moment = seconds * part / 10
        yield f'<text x="{_LEFT + moment * scale - 10:.0f}" y="{y + 18}">{moment:.0f} s</text>'
