"""`bookstream run`: the service itself."""

import asyncio
import gc

import click
import uvloop

from service.settings import Settings, load_settings

ALL_ROLES = "worker,relay,clock"


@click.command()
@click.option("--roles", default=ALL_ROLES, show_default=True, help="What this process does, separated by commas.")
def run(roles: str) -> None:
    """Run the service until SIGTERM or Ctrl-C, which drain it.

    worker applies commands, relay publishes what they wrote, clock sends timers that are due. Any number of each may
    run anywhere; of relays and clocks one works and the others stand by.
    """
    chosen = frozenset(filter(None, (role.strip() for role in roles.split(","))))
    unknown = sorted(chosen - set(ALL_ROLES.split(",")))
    if unknown or not chosen:
        raise click.BadParameter(
            f"expected some of {ALL_ROLES}, not {', '.join(unknown) or 'nothing'}", param_hint="--roles"
        )
    settings = load_settings()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(settings, chosen))


async def _run(settings: Settings, roles: frozenset[str]) -> None:
    # Imported here: FastStream takes seconds to load, and a wrong option should be told at once.
    from service.app import build_app  # noqa: PLC0415
    from service.telemetry.logs import set_up_logs, toggle_on_signal  # noqa: PLC0415

    set_up_logs(settings.log_level)
    toggle_on_signal(asyncio.get_running_loop())
    app, _ = build_app(settings, roles)
    _spare_the_garbage_collector()
    await app.run()


def _spare_the_garbage_collector() -> None:
    """Modules and caches live for ever, and a batch makes many objects at once that all die with it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
