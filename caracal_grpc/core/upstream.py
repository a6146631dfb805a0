"""The real credentials of upstreams behind gateways: what is known of them beside their secrets."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from caracal_grpc.core.header_field import AUTHORIZATION

CredentialKind = Literal["header", "bearer", "basic"]


@dataclass(frozen=True, slots=True)
class UpstreamCredential:
    """One by its name in the zone, for mandates of `resource`, which may be a family.

    `label` is the name of the header of a `header`, the user's of a `basic`, and empty for a
    `bearer`. `secret` is not the secret: it is the id of that, which is kept sealed elsewhere.
    """

    name: str
    resource: str
    kind: CredentialKind
    label: str
    secret: str

    def header(self, secret: str) -> tuple[str, str]:
        """The header, by its lower-case name, that shows the secret to the upstream."""
        if self.kind == "header":
            return self.label, secret
        if self.kind == "bearer":
            return AUTHORIZATION, f"Bearer {secret}"  # RFC 6750 section 2.1
        login = f"{self.label}:{secret}".encode()
        return AUTHORIZATION, f"Basic {base64.b64encode(login).decode('ascii')}"  # RFC 7617

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return asdict(self)

    @staticmethod
    def from_value(value: Mapping[str, Any]) -> UpstreamCredential:
        """The credential that `to_value` wrote."""
        return UpstreamCredential(**{name: value[name] for name in UpstreamCredential.__slots__})


@dataclass(frozen=True, slots=True)
class DeclaredUpstream:
    """One as its owner wants it; `secret` is the secret itself, empty for the one that it has."""

    name: str
    resource: str
    kind: CredentialKind
    label: str = ""
    secret: str = field(default="", repr=False)
