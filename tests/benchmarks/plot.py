"""Plots as SVG, without a library: bars in parts, and curves."""

from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#3b6ea8", "#c8743b", "#5b9a68")
WIDTH, LEFT, TOP, LINE = 720, 130, 40, 34
PLOT = WIDTH - LEFT - 90


def bars(title: str, rows: Mapping[str, Mapping[str, float]]) -> str:
    """A bar for each row, made of its parts."""
    most = max(sum(parts.values()) for parts in rows.values()) or 1.0
    body = _legend(next(iter(rows.values())), TOP + LINE * len(rows) + 20)
    for number, (name, parts) in enumerate(rows.items()):
        y, x = TOP + LINE * number, float(LEFT)
        body.append(_text(LEFT - 8, y + 16, name, "end"))
        for value, colour in zip(parts.values(), COLOURS, strict=False):
            width = value / most * PLOT
            body.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="22" fill="{colour}"/>')
            x += width
        body.append(
            _text(x + 6, y + 16, f"{sum(parts.values()):,.3g}" if most < 100 else f"{sum(parts.values()):,.0f}")
        )
    return _picture(title, body, TOP + LINE * len(rows) + 40)


def curves(title: str, places: Sequence[str], lines: Mapping[str, Sequence[float]]) -> str:
    """A curve for each line over the same places."""
    height = 220
    most = max((max(values, default=0.0) for values in lines.values()), default=0.0) or 1.0
    steps = [LEFT + PLOT * number / max(1, len(places) - 1) for number in range(len(places))]
    body = [f'<path d="M{LEFT} {TOP} V{TOP + height} H{LEFT + PLOT}" fill="none" stroke="#888"/>']
    body += [_text(x, TOP + height + 18, place, "middle") for x, place in zip(steps, places, strict=True)]
    body += [_text(LEFT - 8, TOP + height * (1 - part) + 4, f"{most * part:.3g}", "end") for part in (0.0, 0.5, 1.0)]
    for values, colour in zip(lines.values(), COLOURS, strict=False):
        points = [(x, TOP + height * (1 - value / most)) for x, value in zip(steps, values, strict=True)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        body.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        body += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    return _picture(title, [*body, *_legend(lines, TOP + height + 44)], TOP + height + 64)


def _legend(names: Mapping[str, object], y: int) -> list[str]:
    found = []
    for number, (name, colour) in enumerate(zip(names, COLOURS, strict=False)):
        x = LEFT + number * 130
        found += [f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>', _text(x + 18, y, name)]
    return found


def _text(x: float, y: float, text: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _picture(title: str, body: Sequence[str], height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"'
    paper = f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>'
    return "\n".join([f'{head} font-size="13">', paper, _text(LEFT, 22, title), *body, "</svg>"]) + "\n"
