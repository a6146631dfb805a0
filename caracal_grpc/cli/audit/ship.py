"""`audit ship`: delivers the ledger to files, HTTP servers and syslog servers."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import Choice, Target, load
from caracal_grpc.cli.errors import CliError, ExitCode

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest.settings_file import SettingsFile
    from caracal_grpc.settings.shipping import ShippingSettings
    from caracal_grpc.shipping.shipper import Shipper
    from caracal_grpc.shipping.status import Standing

_COLUMNS = ("sink", "zone", "next", "of", "last", "behind by", "seconds", "state")


def ship(
    file: Annotated[Path, typer.Argument(metavar="SHIP.YAML", help="The settings.")],
    status: Annotated[
        bool, typer.Option("--status", help="Show how far each sink is, and end.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; log in JSON lines while shipping.")
    ] = False,
) -> None:
    """Deliver entries as they are recorded, until SIGTERM: every one at least once, and in order.

    Each sink goes on where it was, at its own pace. With --status, exit code 6 when one has stopped
    or is behind more than the settings allow.
    """
    from caracal_grpc.cli.manifest.settings_file import SettingsFile
    from caracal_grpc.settings.shipping import ShippingSettings

    opened = SettingsFile(file, ShippingSettings.load)
    profile = load(Choice(opened.settings.profile, f"profile in {file}"))
    target = Target(profile, profile.zone, opened.settings.profile)
    zones = opened.settings.zones or [profile.zone]
    if status:
        _show(_standings(opened, target, zones), json)
    else:
        _ship(opened, target, zones, json)


def _standings(
    opened: SettingsFile[ShippingSettings], target: Target, zones: Sequence[str]
) -> list[Standing]:
    from caracal_grpc.cli.connection import connected, run
    from caracal_grpc.shipping.status import standings

    async def work() -> list[Standing]:
        async with connected(target) as channel:
            return await standings(opened.settings, zones, channel)

    return opened.checked(lambda: run(target, work()))


def _ship(
    opened: SettingsFile[ShippingSettings], target: Target, zones: Sequence[str], json: bool
) -> None:
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.serving.startup import hold_log
    from caracal_grpc.cli.terminal.output import print_json, print_line
    from caracal_grpc.shipping.shipper import Shipper

    release = hold_log(json_lines=json, level=logging.INFO)
    shipper = Shipper(opened.settings, zones)
    opened.checked(shipper.open)

    def ready() -> None:
        release()
        sinks = list(opened.settings.sinks)
        if json:
            print_json({"sinks": sinks, "zones": list(zones)})
        else:
            print_line(f"shipping to {', '.join(sinks)}; SIGTERM ends it")

    try:
        told = run(target, _shipping(shipper, target, ready))
    finally:
        shipper.close()
    if not told:
        raise CliError(ExitCode.REFUSED, "every sink has stopped; the log says why")


async def _shipping(shipper: Shipper, target: Target, ready: Any) -> bool:
    from caracal_grpc.cli.connection import connected
    from caracal_grpc.shipping.shipper import ship as deliver

    async with connected(target) as channel:
        return await deliver(shipper, channel, ready)


def _show(found: list[Standing], as_json: bool) -> None:
    from caracal_grpc.cli.terminal.output import print_json, print_table

    wrong = [each for each in found if each.wrong]
    if as_json:
        print_json({"ok": not wrong, "sinks": [each.as_json() for each in found]})
    else:
        print_table(_COLUMNS, map(_row, found), "there are no sinks")
    if wrong:
        text = "; ".join(f"sink {each.sink}, zone {each.zone}: {each.wrong}" for each in wrong)
        raise CliError(ExitCode.FOUND, text)


def _row(each: Standing) -> list[Any]:
    state = each.wrong or "ok"
    place = [each.sink, each.zone, each.next, each.size, each.last_id]
    return [*place, each.lag_entries, round(each.lag_seconds), state]
