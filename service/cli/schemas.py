"""`bookstream schemas`: the contract as JSON Schemas and as an AsyncAPI document."""

import json
from pathlib import Path

import click

from schemas.asyncapi import FILE_NAME, asyncapi_text
from schemas.generate import write


@click.command()
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The paths as a JSON list, for other programs.")
def schemas(directory: Path, as_json: bool) -> None:
    """Write the JSON Schema of every message and the AsyncAPI document into DIRECTORY."""
    paths = write(directory)
    document = directory / FILE_NAME
    document.write_text(asyncapi_text(), encoding="utf-8")
    written = [str(path) for path in (*paths, document)]
    click.echo(json.dumps(written) if as_json else "\n".join(written))
