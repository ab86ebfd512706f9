"""`bookstream schemas`: the contract as JSON Schemas."""

from pathlib import Path

import click

from schemas.generate import write


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def schemas(directory: Path) -> None:
    """Write the JSON Schema of every command, event and result into DIRECTORY."""
    directory.mkdir(parents=True, exist_ok=True)
    write(directory)
    for path in sorted(directory.glob("*.json")):
        click.echo(str(path))
