"""`rules`: what each method of a service asks of its caller, and whether that is sound."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.rules.options import (
    AgainstOption,
    CaFileOption,
    CertFileOption,
    ExceptOption,
    KeyFileOption,
    ManifestOption,
    ModuleOption,
    PlaintextOption,
    RecursiveOption,
    RulesOption,
    ServerNameOption,
    ServerOption,
    SetOption,
    Source,
    read_rules,
    read_zone,
    resources_of,
)
from caracal_grpc.cli.terminal.bare import show_help

if TYPE_CHECKING:
    from caracal_grpc.core.rule import Rule
    from caracal_grpc.interceptors.rules.matrix import Row
    from caracal_grpc.v1 import zone_pb2

rules = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Check and show what each method asks of its caller.",
)


class Format(StrEnum):
    """How `table` prints."""

    TABLE = "table"
    MARKDOWN = "markdown"
    JSON = "json"


@rules.command("check")
def check(
    descriptor_set: SetOption = None,
    module: ModuleOption = None,
    recursive: RecursiveOption = False,
    server: ServerOption = None,
    plaintext: PlaintextOption = False,
    ca_file: CaFileOption = None,
    cert_file: CertFileOption = None,
    key_file: KeyFileOption = None,
    server_name: ServerNameOption = None,
    rules_file: RulesOption = None,
    left_out: ExceptOption = None,
    file: ManifestOption = None,
    against_zone: AgainstOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Check that every method has a sound rule: exit code 0, or 6 with a line for each finding.

    A finding is a method without a rule or with a half-written one, a public method without its
    public_reason, a rule for a method that is not there, and, with -f or --against-zone, a scope or
    resource that the zone does not have.
    """
    from caracal_grpc.interceptors.rules.matrix import findings, stray

    tls = (ca_file, cert_file, key_file, server_name)
    source = Source(descriptor_set, module, recursive, server, plaintext, tls)
    overrides = read_rules(rules_file)
    declared = read_zone(file, against_zone, profile, zone)
    rows = source.rows(left_out or [], overrides)
    found = [*findings(rows, resources_of(declared)), *stray(rows, overrides)]
    if json:
        _print_json(rows, found, declared)
    else:
        _print(rows, found, declared)
    if found:
        count = "1 finding" if len(found) == 1 else f"{len(found)} findings"
        raise CliError(ExitCode.FOUND, f"{count} in {_counted(rows)}")


@rules.command("table")
def table(
    descriptor_set: SetOption = None,
    module: ModuleOption = None,
    recursive: RecursiveOption = False,
    server: ServerOption = None,
    plaintext: PlaintextOption = False,
    ca_file: CaFileOption = None,
    cert_file: CertFileOption = None,
    key_file: KeyFileOption = None,
    server_name: ServerNameOption = None,
    rules_file: RulesOption = None,
    left_out: ExceptOption = None,
    file: ManifestOption = None,
    against_zone: AgainstOption = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TABLE,
) -> None:
    """Show the authority matrix: what each method asks of its caller.

    With -f or --against-zone also which of the scopes some grant of the zone gives only after an
    approval (step-up).
    """
    from caracal_grpc.interceptors.rules.matrix import cells

    tls = (ca_file, cert_file, key_file, server_name)
    source = Source(descriptor_set, module, recursive, server, plaintext, tls)
    overrides = read_rules(rules_file)
    declared = read_zone(file, against_zone, profile, zone)
    rows = source.rows(left_out or [], overrides)
    shown = [{**cells(row), **_step_up(row, declared)} for row in rows]
    _PRINTERS[form](shown if form is Format.JSON else _told(shown))


def _step_up(row: Row, zone: zone_pb2.Zone | None) -> dict[str, list[str]]:
    if zone is None:
        return {}
    if row.rule is None:
        return {"step_up": []}
    grants = (grant for grant in zone.policy.grants if _gives(grant.resource, row.rule))
    held = {scope for grant in grants for scope in grant.step_up}
    return {"step_up": sorted(held & row.rule.every_scope)}


def _gives(granted: str, rule: Rule) -> bool:
    """Whether a grant on `granted` may let calls of the method in: all of them, or some."""
    from caracal_grpc.core.ids import family_of

    if rule.template is not None:
        return rule.template.family in {granted, family_of(granted)}
    return granted in {rule.resource, family_of(rule.resource)}


def _counted(rows: Iterable[Row]) -> str:
    listed = list(rows)
    services = len({row.service for row in listed})
    of = "1 service" if services == 1 else f"{services} services"
    return f"1 method of {of}" if len(listed) == 1 else f"{len(listed)} methods of {of}"


def _print(rows: Iterable[Row], found: list[Any], zone: zone_pb2.Zone | None) -> None:
    from caracal_grpc.cli.terminal.output import note, print_line

    for each in found:
        print_line(str(each))
    if not found:
        against = f", and zone {zone.name} has what they name" if zone else ""
        print_line(f"{_counted(rows)} checked: every one has a rule{against}")
    if zone is None:
        note("no zone was compared with; name one with -f or --against-zone")


def _print_json(rows: Iterable[Row], found: list[Any], zone: zone_pb2.Zone | None) -> None:
    from dataclasses import asdict

    from caracal_grpc.cli.terminal.output import print_json

    print_json(
        {
            "methods": len(list(rows)),
            "zone": zone.name if zone else None,
            "findings": [asdict(each) for each in found],
        }
    )


def _told(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The columns that tell people something."""
    from caracal_grpc.interceptors.rules.matrix import SELDOM

    silent = {name for name in SELDOM if not any(row[name] for row in shown)}
    return [{name: value for name, value in row.items() if name not in silent} for row in shown]


def _print_table(shown: list[dict[str, Any]]) -> None:
    from caracal_grpc.cli.terminal.output import print_table

    columns = [name.replace("_", " ") for name in shown[0]]
    print_table(columns, (list(row.values()) for row in shown), "")


def _print_markdown(shown: list[dict[str, Any]]) -> None:
    from caracal_grpc.cli.terminal.output import print_line

    print_line(_markdown(name.replace("_", " ") for name in shown[0]))
    print_line(_markdown("---" for _ in shown[0]))
    for row in shown:
        print_line(_markdown(_text(value) for value in row.values()))


def _print_rows(shown: list[dict[str, Any]]) -> None:
    from caracal_grpc.cli.terminal.output import print_json

    print_json({"methods": shown})


_PRINTERS = {
    Format.TABLE: _print_table,
    Format.MARKDOWN: _print_markdown,
    Format.JSON: _print_rows,
}


def _markdown(texts: Iterable[str]) -> str:
    escaped = (" ".join(text.split()).replace("|", "\\|") for text in texts)
    return f"| {' | '.join(escaped)} |"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " ".join(f"`{each}`" for each in value)
    return "" if value is None else str(value)
