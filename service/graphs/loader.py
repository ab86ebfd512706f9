"""The graphs that ship with the service, and those that an operator adds."""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from service.domain.graph import Action, Graph, State
from service.graphs.draft import GraphDraft, read_graph
from service.graphs.validate import GraphError, check_draft, check_links, is_final


def load_graphs(extra: Path | None) -> Mapping[str, Graph]:
    """Every graph by name: the shipped ones, then those of the `*.toml` files in the extra directory.

    Raises GraphError with all mistakes of all files; a shipped name can't be given anew.
    """
    mistakes: list[str] = []
    found = {_stem(file): file for file in _toml_files(files(__package__).joinpath("data"))}
    for file in () if extra is None else _operator_files(extra):
        if _stem(file) in found:
            mistakes.append(f"{file.name}: the graph {_stem(file)!r} ships with the service and can't be replaced")
        else:
            found[_stem(file)] = file
    graphs: dict[str, Graph] = {}
    for name, file in found.items():
        graph = _load(name, file, mistakes)
        if graph is not None:
            graphs[name] = graph
    mistakes += check_links(graphs, found, {name: file.name for name, file in found.items()})
    if mistakes:
        raise GraphError(mistakes)
    return MappingProxyType(graphs)


def _operator_files(directory: Path) -> Iterable[Traversable]:
    try:
        return _toml_files(directory)
    except OSError as error:
        raise GraphError([f"{directory}: not a directory of graphs that can be read: {error.strerror}"]) from error


def _toml_files(directory: Traversable) -> list[Traversable]:
    # Directories mounted by Kubernetes hold hidden links next to the files.
    found = (one for one in directory.iterdir() if one.name.endswith(".toml") and not one.name.startswith("."))
    return sorted(found, key=lambda one: one.name)


def _stem(file: Traversable) -> str:
    return file.name.removesuffix(".toml")


def _load(name: str, file: Traversable, mistakes: list[str]) -> Graph | None:
    before = len(mistakes)
    try:
        draft = read_graph(file.name, name, tomllib.loads(file.read_text(encoding="utf-8")), mistakes)
        check_draft(draft)
    # A ValueError is also what bytes that are no UTF-8 and numbers of thousands of digits end in.
    except (ValueError, OSError) as error:
        mistakes.append(f"{file.name}: {error}")
    except RecursionError:
        mistakes.append(f"{file.name}: nested too deep")
    return _build(draft) if len(mistakes) == before else None


def _build(draft: GraphDraft) -> Graph:
    return Graph(
        name=draft.name,
        aggregate=draft.aggregate,
        initial=draft.initial,
        states={
            one.name: State(one.name, one.level, one.access, is_final(draft, one)) for one in draft.states.values()
        },
        actions={
            one.name: Action(
                name=one.name,
                sources=frozenset(draft.sources(one)),
                target=one.target or "",
                actors=one.actors,
                inputs=one.inputs,
                autoplay=one.autoplay,
                add_tag=one.tag,
                without=one.without,
                cascade=one.cascade,
            )
            for one in draft.actions.values()
        },
        levels=draft.levels,
        by_status=frozenset(draft.by_status),
        owner_graph=draft.owner_graph,
    )
