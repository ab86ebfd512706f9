"""`bookstream graph`: lists the state graphs, prints one, draws one."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click

from service.domain.graph import Graph
from service.graphs.draw import dot, mermaid, table
from service.graphs.loader import load_graphs
from service.graphs.validate import GraphError

_FORMATS: Final[Mapping[str, Callable[[Graph], str]]] = MappingProxyType(
    {"table": table, "mermaid": mermaid, "dot": dot}
)


@click.command("graph")
@click.argument("name", required=False)
@click.option("--format", "form", type=click.Choice(tuple(_FORMATS)), default="table", show_default=True)
@click.option(
    "--graphs-dir",
    envvar="BOOKSTREAM_GRAPHS_DIR",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="A directory with graphs of your own.",
)
def graph(name: str | None, form: str, graphs_dir: Path | None) -> None:
    """Print or draw the state graph NAME; without NAME, list the graphs."""
    try:
        graphs = load_graphs(graphs_dir)
    except GraphError as error:
        raise click.UsageError(str(error)) from error
    if name is None:
        click.echo(_listing(graphs))
    elif name in graphs:
        click.echo(_FORMATS[form](graphs[name]), nl=False)
    else:
        raise click.UsageError(f"unknown graph {name!r} (known: {', '.join(sorted(graphs))})")


def _listing(graphs: Mapping[str, Graph]) -> str:
    width = max(map(len, graphs))
    return "\n".join(
        f"{name.ljust(width)}  {one.aggregate:<7}  states: {len(one.states)}  actions: {len(one.actions)}  "
        f"initial: {', '.join(one.initial)}"
        for name, one in graphs.items()
    )
