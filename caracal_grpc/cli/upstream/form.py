"""What a credential of an upstream is: as options say it, and as people and programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.errors import usage

if TYPE_CHECKING:
    from caracal_grpc.v1.upstream_pb2 import UpstreamCredential

_LABELS: Final = {"header": "name", "bearer": "", "basic": "username"}
_SECRETS: Final = {"header": "value", "bearer": "token", "basic": "password"}


@dataclass(frozen=True, slots=True)
class Form:
    """`kind` is header, bearer or basic; `label` the name of the header, or of the user."""

    kind: str
    label: str = ""

    def put(self, credential: UpstreamCredential, secret: str) -> None:
        """Makes `credential` one of this form; an empty secret is the one that it has."""
        part = getattr(credential, self.kind)
        part.SetInParent()
        if self.label:
            setattr(part, _LABELS[self.kind], self.label)
        setattr(part, _SECRETS[self.kind], secret)


def form_of(header: str | None, bearer: bool, basic: str | None) -> Form | None:
    """The form that the options name, `None` when they name none; raises `CliError` for two."""
    found = [Form("header", header)] if header is not None else []
    found += [Form("bearer")] if bearer else []
    found += [Form("basic", basic)] if basic is not None else []
    if len(found) > 1:
        raise usage("give one of --header, --bearer and --basic")
    return found[0] if found else None


def form_in(credential: UpstreamCredential) -> Form:
    """The form that a credential has."""
    kind = credential.WhichOneof("credential") or "bearer"
    label = _LABELS[kind]
    return Form(kind, getattr(getattr(credential, kind), label) if label else "")


def shown(found: Mapping[str, Any]) -> dict[str, Any]:
    """A credential as `view` has it, flat, and without the places of secrets."""
    kind = next((each for each in _LABELS if found[each] is not None), "")
    label = _LABELS.get(kind, "")
    return {
        "name": found["name"],
        "resource": found["resource"],
        "kind": kind,
        "label": found[kind][label] if label else "",
        "etag": found["etag"],
    }
