"""The command `bookstream`: one file for each subcommand, loaded when it is used."""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import click
from click.shell_completion import CompletionItem

from service.errors import ServiceError, SettingsError

COMMANDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "demo": "Everything embedded, sample traffic, events on the screen.",
        "run": "The service: worker, relay and clock, together or apart.",
        "migrate": "Brings the database to this version.",
        "topics": "Creates missing topics and compares the rest with what is wanted.",
        "send": "Publishes commands from a file or standard input and waits for outcomes.",
        "tail": "Follows events, results and dead letters.",
        "dlq": "Lists, shows and replays dead letters.",
        "client": "Integrators and their keys: adds, lists, switches off, rotates, limits.",
        "show": "A booking, visit or location as it stands, and what can be done with it.",
        "pause": "Stops consuming, in all processes.",
        "resume": "Goes on consuming, in all processes.",
        "restored": "After a restore from a backup: begins a new epoch.",
        "positions": "Lists where the service goes on in each partition, and sets it anew.",
        "doctor": "Looks for what keeps the service from its work, and says what helps.",
        "resync": "Publishes snapshots of bookings and visits for consumers that start late.",
        "erase": "Blanks a person in the bookings and visits of an account.",
        "link-key": "The keys that sign action links: list, rotate, revoke.",
        "graph": "Prints and draws state graphs.",
        "schemas": "Writes JSON Schemas and the AsyncAPI document.",
    }
)


class Lazy(click.Group):
    """Loads a subcommand when it is asked for, so that help comes at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Lists the subcommands, first contact first."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Loads one."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(importlib.import_module(f"service.cli.{name}"), name)
        return command

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Completes the names of subcommands without loading any of them."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Writes the list without loading any of them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bookstream")
def cli() -> None:
    """Booking and visit commands in, events out: Kafka, PostgreSQL, and nothing lost in between.

    Settings are environment variables (BOOKSTREAM_DATABASE_URL, BOOKSTREAM_KAFKA_BOOTSTRAP, ...), or the same names in
    lower case in a TOML file that BOOKSTREAM_CONFIG names. Exit codes: 0 fine, 1 failed while working, 2 wrong use or
    settings.

    Completion in bash: eval "$(_BOOKSTREAM_COMPLETE=bash_source bookstream)"; in zsh and fish zsh_source and
    fish_source do the same.
    """


def main() -> None:
    """Runs the command; failures on purpose become one clear line and an exit code."""
    try:
        cli(prog_name="bookstream")
    except SettingsError as error:
        click.echo(f"wrong settings:\n{error}", err=True)
        raise SystemExit(2) from None
    except ServiceError as error:
        click.echo(f"error: {error}", err=True)
        raise SystemExit(1) from None
