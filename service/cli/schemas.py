"""`bookstream schemas`: the contract as JSON Schemas and as an AsyncAPI document."""

from pathlib import Path

import click

from schemas.asyncapi import FILE_NAME, asyncapi_text
from schemas.generate import write


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
def schemas(directory: Path) -> None:
    """Write the JSON Schema of every message and the AsyncAPI document into DIRECTORY."""
    paths = write(directory)
    document = directory / FILE_NAME
    document.write_text(asyncapi_text(), encoding="utf-8")
    for path in (*paths, document):
        click.echo(str(path))
