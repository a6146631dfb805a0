"""The settings of `serve` that say which engine decides by policies, and what it may take."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from caracal_grpc.policy.sandbox.limits import (
    DEFAULT_MEMORY_MIB,
    DEFAULT_TIMEOUT_MS,
    MAX_MEMORY_MIB,
    MAX_TIMEOUT_MS,
    MIN_MEMORY_MIB,
    MIN_TIMEOUT_MS,
    Limits,
)
from caracal_grpc.settings.checked import Checked, Problems


class PolicyPart(Checked):
    """Which engine there is, and where its server is."""

    policy_engine: Literal["regorus", "regopy", "opa"] = Field(
        "regorus", description="the Rego engine; opa asks a server about modules of yours"
    )
    policy_timeout_ms: Annotated[int, Field(ge=MIN_TIMEOUT_MS, le=MAX_TIMEOUT_MS)] = Field(
        DEFAULT_TIMEOUT_MS,
        description="milliseconds that modules of yours may take for one decision",
    )
    policy_memory_mib: Annotated[int, Field(ge=MIN_MEMORY_MIB, le=MAX_MEMORY_MIB)] = Field(
        DEFAULT_MEMORY_MIB, description="MiB that they may take, with the engine and their data"
    )
    opa_url: str = Field(
        "", description="the OPA server, such as http://127.0.0.1:8181; {zone} is the zone's name"
    )
    opa_token_file: Path | None = Field(None, description="its bearer token, mode 0600")
    opa_ca_file: Path | None = Field(
        None, description="CAs of the OPA server besides those of the system, PEM"
    )

    def policy_limits(self) -> Limits:
        """What modules that users wrote may take."""
        return Limits.of(self.policy_timeout_ms, self.policy_memory_mib)

    @property
    def opa_on_loopback(self) -> bool:
        """Whether the URL says that the OPA server is on this machine."""
        host = urlsplit(self.opa_url).hostname or ""
        try:
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:
            return False

    def problems(self) -> Problems:
        """What no single field shows."""
        return [*super().problems(), *self._opa_problems()]

    def _opa_problems(self) -> Problems:
        if self.policy_engine != "opa":
            return [("opa_url", "needs policy_engine opa")] if self.opa_url else []
        parts = urlsplit(self.opa_url)
        more = "@" in parts.netloc or parts.query or parts.fragment
        plain = parts.scheme == "http" and self.opa_on_loopback
        if not parts.netloc or more or not (plain or parts.scheme == "https"):
            text = "must be an https URL, or http on loopback, and nothing but a path"
            return [("opa_url", text)]
        return []
