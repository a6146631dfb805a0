"""The manifest of a zone, `zone.yaml`: its shape, and what it declares on the wire."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from caracal_grpc.cli.yaml_lines import Document, Place, Problem, load
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2

_MAX_MODULE: Final = 262_144
Seconds = Annotated[int, Field(ge=0, le=86_400)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Ceiling(_Part):
    """A resource and the scopes on it that an application can ever reach."""

    resource: str
    scopes: list[str]


class Application(_Part):
    """A workload that can authenticate."""

    name: str
    labels: list[str] = []
    ceiling: list[Ceiling] = []


class MayAct(_Part):
    """Who may act on behalf of whom at a resource."""

    actor: str
    subjects: list[str]


class Resource(_Part):
    """Something protected, with its scopes."""

    name: str
    scopes: list[str]
    max_ttl_seconds: Seconds = 0
    may_act: list[MayAct] = []


class Approval(_Part):
    """What an approval needs."""

    reviews: Annotated[int, Field(ge=0, le=16)] = 0
    reviewers: list[str] = []
    ttl_seconds: Annotated[int, Field(ge=0, le=604_800)] = 0
    proof_system: str = ""


class Grant(_Part):
    """One line of the built-in policy."""

    application: str
    resource: str
    scopes: list[str]
    subjects: list[str] = []
    labels: list[str] = []
    users: list[str] = []
    ttl_seconds: Seconds = 0
    step_up: list[str] = []
    approval: Approval | None = None


class Policy(_Part):
    """Rego modules in files beside the manifest; without any the grants decide."""

    modules: list[str] = []


class RateLimits(_Part):
    """How much may be asked for, at each replica; 0 means the default."""

    application_per_second: Annotated[int, Field(ge=0, le=100_000)] = 0
    application_burst: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    zone_per_second: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    zone_burst: Annotated[int, Field(ge=0, le=10_000_000)] = 0


class Settings(_Part):
    """Settings of the zone; 0 means the default."""

    default_ttl_seconds: Seconds = 0
    max_hops: Annotated[int, Field(ge=0, le=10)] = 0
    key_publish_seconds: Seconds = 0
    chain_visibility: Literal["full", "hashed", "last"] = "full"
    jwks_max_age_seconds: Seconds = 0
    key_rotate_seconds: Annotated[int, Field(ge=0, le=31_536_000)] = 0
    limits: RateLimits = RateLimits()


class Issuer(_Part):
    """Somebody whose signed tokens the zone believes; `jwks` is a key set as JSON."""

    name: str
    issuer: str
    audience: str
    jwks_uri: str = ""
    jwks: str = ""
    algorithms: list[str] = []
    max_age_seconds: Seconds = 0


class Webhook(_Part):
    """Where new approvals are told."""

    name: str
    url: str


class Shape(_Part):
    """The whole manifest."""

    zone: Annotated[str, Field(min_length=1)]
    applications: list[Application] = []
    resources: list[Resource] = []
    grants: list[Grant] = []
    policy: Policy = Policy()
    settings: Settings = Settings()
    issuers: list[Issuer] = []
    proof_systems: list[Issuer] = []
    webhooks: list[Webhook] = []


class Manifest:
    """A manifest that was read: the zone that it declares, and the way back to its lines."""

    def __init__(self, document: Document, shape: Shape) -> None:
        self.document = document
        self.shape = shape
        self.modules = _read_modules(document, shape.policy.modules)

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest in the file at `path`; raises `CliError` naming file, line and field."""
        document = load(path)
        try:
            shape = Shape.model_validate(document.value)
        except ValidationError as error:
            problems = [_problem(each) for each in error.errors(include_url=False)]
            raise document.refused(problems) from None
        problems = [
            *_repeated(document, "applications", shape.applications),
            *_repeated(document, "resources", shape.resources),
            *_repeated(document, "issuers", shape.issuers),
            *_repeated(document, "proof_systems", shape.proof_systems),
            *_repeated(document, "webhooks", shape.webhooks),
        ]
        if problems:
            raise document.refused(problems)
        return cls(document, shape)

    def message(self) -> zone_pb2.Zone:
        """What the manifest declares, for the wire."""
        shape = self.shape
        return zone_pb2.Zone(
            name=shape.zone,
            applications=[_application(each) for each in shape.applications],
            resources=[resource_pb2.Resource(**each.model_dump()) for each in shape.resources],
            policy=zone_pb2.Policy(
                grants=[zone_pb2.Grant(**each.model_dump()) for each in shape.grants],
                modules=[
                    zone_pb2.PolicyModule(name=name, source=source)
                    for name, source in self.modules.items()
                ],
            ),
            settings=_settings(shape.settings),
            issuers=[zone_pb2.Issuer(**each.model_dump()) for each in shape.issuers],
            proof_systems=[zone_pb2.Issuer(**each.model_dump()) for each in shape.proof_systems],
            webhooks=[zone_pb2.Webhook(**each.model_dump()) for each in shape.webhooks],
        )


def _repeated(
    document: Document, part: str, declared: Sequence[Application | Resource | Issuer | Webhook]
) -> Iterator[Problem]:
    """Each one whose name stands above it already."""
    first: dict[str, int] = {}
    for index, each in enumerate(declared):
        before = first.setdefault(each.name, index)
        if before != index:
            line = document.line((part, before, "name"))
            text = f"{each.name} is declared already, in line {line}"
            yield Problem((part, index, "name"), text)


def _application(declared: Application) -> application_pb2.Application:
    return application_pb2.Application(
        name=declared.name,
        labels=declared.labels,
        ceiling=[application_pb2.Ceiling(**each.model_dump()) for each in declared.ceiling],
    )


def _settings(declared: Settings) -> zone_pb2.ZoneSettings:
    visibility = f"CHAIN_VISIBILITY_{declared.chain_visibility.upper()}"
    return zone_pb2.ZoneSettings(**declared.model_dump() | {"chain_visibility": visibility})


def _read_modules(document: Document, files: list[str]) -> dict[str, str]:
    """The sources by file name; raises `CliError` for those that cannot be read."""
    modules: dict[str, str] = {}
    problems: list[Problem] = []
    for index, name in enumerate(files):
        place: Place = ("policy", "modules", index)
        file = document.path.parent / name
        if file.name in modules:
            problems.append(Problem(place, f"another module is called {file.name} already"))
            continue
        try:
            modules[file.name] = _source(file)
        except (OSError, UnicodeDecodeError):
            problems.append(Problem(place, f"{file} cannot be read; it must be a rego file"))
        except ValueError as exc:
            problems.append(Problem(place, str(exc)))
    if problems:
        raise document.refused(problems)
    return modules


def _source(file: Path) -> str:
    with file.open("rb") as stream:
        content = stream.read(_MAX_MODULE + 1)
    if len(content) > _MAX_MODULE:
        raise ValueError(f"{file} is over {_MAX_MODULE} bytes")
    return content.decode("utf-8")


_TEXTS: Final[Mapping[str, str]] = {
    "missing": "is missing",
    "extra_forbidden": "is no key of a manifest here",
    "string_too_short": "must not be empty",
    "string_type": "must be text; put it in quotes",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
}


def _problem(error: Mapping[str, Any]) -> Problem:
    text = _TEXTS.get(error["type"])
    if text is None:
        said = str(error["msg"])
        text = f"{said[:1].lower()}{said[1:]}"
    return Problem(tuple(error["loc"]), text)
