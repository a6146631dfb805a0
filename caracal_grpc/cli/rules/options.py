"""What `rules` takes: where services come from, rules beside the protos, and a zone."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import resolve
from caracal_grpc.cli.errors import usage
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.interceptors.rules.matrix import Overrides, Row
    from caracal_grpc.interceptors.rules.sources import Services
    from caracal_grpc.v1 import zone_pb2

SetOption = Annotated[
    Path | None,
    typer.Option(
        "--descriptor-set",
        help="Protos as protoc --include_imports --descriptor_set_out or buf build wrote them.",
        show_default=False,
    ),
]
ModuleOption = Annotated[
    str | None,
    typer.Option(
        "--module",
        help="Python module: generated code, or a module or package that holds some. It is run.",
        show_default=False,
    ),
]
RecursiveOption = Annotated[
    bool, typer.Option("--recursive", help="With --module, also the packages inside it.")
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server", help="HOST:PORT of a running server with reflection.", show_default=False
    ),
]
PlaintextOption = Annotated[
    bool, typer.Option("--plaintext", help="With --server on loopback: no TLS.")
]
CaFileOption = Annotated[
    Path | None,
    typer.Option("--ca-file", help="With --server: PEM of the roots.", show_default=False),
]
CertFileOption = Annotated[
    Path | None,
    typer.Option("--cert-file", help="With --server: own certificate, PEM.", show_default=False),
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", help="With --cert-file: its key.", show_default=False)
]
ServerNameOption = Annotated[
    str | None,
    typer.Option(
        "--server-name", help="With --server: the name in its certificate.", show_default=False
    ),
]
RulesOption = Annotated[
    Path | None,
    typer.Option(
        "--rules", help="YAML of rules by method, for protos of others.", show_default=False
    ),
]
ExceptOption = Annotated[
    list[str] | None,
    typer.Option(
        "--except",
        help="Full name of a service to leave out; again for more.",
        show_default=False,
    ),
]
ManifestOption = Annotated[
    Path | None,
    typer.Option(
        "--file", "-f", help="The manifest of a zone, to compare with.", show_default=False
    ),
]
AgainstOption = Annotated[
    bool,
    typer.Option("--against-zone", help="Compare with the zone as the authority has it."),
]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the services come from: exactly one of a descriptor set, a module and a server."""

    descriptor_set: Path | None
    module: str | None
    recursive: bool
    server: str | None
    plaintext: bool
    tls: tuple[Path | None, Path | None, Path | None, str | None]

    def __post_init__(self) -> None:
        given = [each for each in (self.descriptor_set, self.module, self.server) if each]
        if len(given) != 1:
            raise usage("give exactly one of --descriptor-set, --module and --server")
        if self.recursive and not self.module:
            raise usage("--recursive goes with --module")
        if not self.server and (self.plaintext or any(self.tls)):
            raise usage("options of a connection go with --server")

    def rows(self, left_out: list[str], overrides: Overrides) -> tuple[Row, ...]:
        """The methods of all services but those `left_out`; at least one.

        Raises `CliError`, and `FIELD_INVALID` for what is wrong with the source itself.
        """
        from caracal_grpc.interceptors.rules.matrix import matrix

        found = self._services()
        names = {each.full_name for each in found}
        unknown = sorted(set(left_out) - names)
        if unknown:
            raise usage(f"--except {unknown[0]} is no service there; these are {_listed(names)}")
        rows = matrix((each for each in found if each.full_name not in left_out), overrides)
        if not rows:
            raise usage("there is no method left to look at")
        return rows

    def _services(self) -> Services:
        from caracal_grpc.interceptors.rules.sources import module_services, set_services

        if self.descriptor_set:
            return set_services(self.descriptor_set)
        if self.server:
            from caracal_grpc.cli.rules.reflection import Server, served

            return served(Server(self.server, self.plaintext, *self.tls))
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))  # as python -m does
        with redirect_stdout(sys.stderr):  # what the module prints is no answer of ours
            return module_services(str(self.module), recursive=self.recursive)


def read_rules(path: Path | None) -> Overrides:
    """The rules in a YAML file; raises `CliError` naming file, line and method."""
    from caracal_grpc.cli.manifest.yaml_lines import Place, Problem, load
    from caracal_grpc.interceptors.rules.rules import Rules

    if path is None:
        return {}
    document = load(path)
    rules: Any = document.value
    if not isinstance(rules, dict):
        text = "must be a mapping of methods, /package.Service/Method, to rules"
        raise document.refused([Problem((), text)])
    try:
        Rules.from_mapping(rules)
    except CaracalError as error:
        bad = error.violations[0]
        place: Place = next(
            (
                (key, *filter(None, [bad.field.removeprefix(key).removeprefix(".")]))
                for key in rules
                if bad.field == key or bad.field.startswith(f"{key}.")
            ),
            (),
        )
        raise document.refused([Problem(place, bad.description)]) from error
    return rules


def read_zone(
    file: Path | None, against: bool, profile: str | None, zone: str | None
) -> zone_pb2.Zone | None:
    """The zone to compare with, of a manifest or of the authority; `None` when none was named."""
    if file and against:
        raise usage("give -f or --against-zone, not both")
    if not against and (profile or zone):
        raise usage("--profile and --zone go with --against-zone")
    if file:
        from caracal_grpc.cli.manifest import Manifest

        return Manifest.read(file).message()
    return _present_zone(profile, zone) if against else None


def resources_of(zone: zone_pb2.Zone | None) -> Mapping[str, frozenset[str]] | None:
    """The resources of the zone, the authority among them, which every zone has."""
    from caracal_grpc.core.zone import AUTHORITY

    if zone is None:
        return None
    declared = {each.name: frozenset(each.scopes) for each in zone.resources}
    return {**declared, AUTHORITY.name: AUTHORITY.scopes}


def _present_zone(profile: str | None, zone: str | None) -> zone_pb2.Zone:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.v1.zone_service_pb2 import ZoneServiceGetRequest
    from caracal_grpc.v1.zone_service_pb2_grpc import ZoneServiceStub

    target = resolve(profile, zone)
    found: zone_pb2.Zone = ask(
        target, ZoneServiceStub, "Get", ZoneServiceGetRequest(zone=target.zone)
    ).zone
    return found


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)[:8])
