"""`bookstream graph`: lists the state graphs, prints one, draws one."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import CompletionItem

from service.domain.graph import Graph
from service.graphs.draw import dot, mermaid, table
from service.graphs.loader import load_graphs
from service.graphs.members import members
from service.graphs.validate import GraphError

_FORMATS: Final[Mapping[str, Callable[[Graph], str]]] = MappingProxyType(
    {"table": table, "mermaid": mermaid, "dot": dot}
)


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Completes the names of graphs, an operator's own too where they are sound."""
    del param
    try:
        graphs = load_graphs(ctx.params.get("graphs_dir"))
    except GraphError:
        graphs = load_graphs(None)
    return [CompletionItem(name, help=f"of {one.aggregate}s") for name, one in graphs.items() if incomplete in name]


@click.command("graph")
@click.argument("name", required=False, shell_complete=_complete)
@click.option("--format", "form", type=click.Choice(tuple(_FORMATS)), default="table", show_default=True)
@click.option(
    "--graphs-dir",
    envvar="BOOKSTREAM_GRAPHS_DIR",
    show_envvar=True,
    type=click.Path(path_type=Path),
    help="A directory with graphs of your own.",
)
@click.option("--json", "as_json", is_flag=True, help="The graph, or the list of all, as JSON for other programs.")
def graph(name: str | None, form: str, graphs_dir: Path | None, as_json: bool) -> None:
    """Print or draw the state graph NAME; without NAME, list the graphs."""
    try:
        graphs = load_graphs(graphs_dir)
    except GraphError as error:
        raise click.UsageError(str(error)) from error
    if name is not None and name not in graphs:
        raise click.UsageError(f"unknown graph {name!r} (known: {', '.join(sorted(graphs))})")
    if as_json:
        chosen = graphs.values() if name is None else [graphs[name]]
        found = [members(one) for one in chosen]
        click.echo(json.dumps(found if name is None else found[0]))
    elif name is None:
        click.echo(_listing(graphs))
    else:
        click.echo(_FORMATS[form](graphs[name]), nl=False)


def _listing(graphs: Mapping[str, Graph]) -> str:
    width = max(map(len, graphs))
    return "\n".join(
        f"{name.ljust(width)}  {one.aggregate:<7}  states: {len(one.states)}  actions: {len(one.actions)}  "
        f"initial: {', '.join(one.initial)}"
        for name, one in graphs.items()
    )
