"""What somebody wants of a starter zone: a few questions, each with an option that answers it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from caracal_grpc.cli.errors import usage
from caracal_grpc.cli.terminal.questions import Question, answers
from caracal_grpc.core.ids import require_resource, require_scope, require_slug
from caracal_grpc.core.limits import AUTHORITY_ZONE

MANIFEST: Final = "zone.yaml"


@dataclass(frozen=True, slots=True)
class Wanted:
    """The names in a starter zone; the caller is granted the first of the scopes."""

    zone: str
    service: str
    scopes: tuple[str, ...]
    caller: str


def ask(
    folder: Path | None,
    zone: str | None,
    service: str | None,
    scopes: str | None,
    caller: str | None,
    *,
    defaults: bool,
) -> tuple[Path, Wanted | None]:
    """The folder, and what to put there; `None` when a zone is there already. Raises `CliError`."""
    if folder is not None and (folder / MANIFEST).exists():
        return folder, None
    given = {
        "zone": zone,
        "service": service,
        "scopes": scopes,
        "caller": caller,
        "folder": None if folder is None else str(folder),
    }
    answered = answers(_QUESTIONS, given, defaults=defaults)
    if answered["caller"] == answered["service"]:
        raise usage("--caller and --service are the same; the one calls the other")
    place = Path(answered["folder"])
    if (place / MANIFEST).exists():
        return place, None
    named = tuple(answered["scopes"].split(","))
    return place, Wanted(answered["zone"], answered["service"], named, answered["caller"])


def _zone(text: str) -> str:
    if text == AUTHORITY_ZONE:
        raise usage(f"{text} is the authority's own; choose another")
    return require_slug("zone", text)


def _service(text: str) -> str:
    require_resource("service", f"resource://{text}")
    return require_slug("service", text)


def _scopes(text: str) -> str:
    named = [each.strip() for each in text.split(",") if each.strip()]
    for each in named:
        require_scope("scopes", each)
    if len(set(named)) < 2 or len(set(named)) < len(named):
        raise usage("must be two scopes or more, all different, such as orders:read,orders:write")
    return ",".join(named)


_QUESTIONS: Final = {
    "zone": Question("--zone", "name of the zone", "hello", _zone),
    "service": Question("--service", "name of the service to protect", "greeter", _service),
    "scopes": Question(
        "--scopes", "what can be done with it", "{service}:read,{service}:write", _scopes
    ),
    "caller": Question(
        "--caller",
        "name of a program that calls it",
        "caller",
        lambda text: require_slug("caller", text),
    ),
    "folder": Question("FOLDER", "folder to put it in", "{zone}"),
}
