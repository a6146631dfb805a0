"""The engines by the name that a setting gives them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from caracal_grpc.core.errors import field_invalid

if TYPE_CHECKING:
    from caracal_grpc.policy.port import Engine

DEFAULT_ENGINE: Final = "regorus"
ENGINES: Final = (DEFAULT_ENGINE, "regopy")


def engine(name: str = DEFAULT_ENGINE) -> Engine:
    """The engine `name`; raises `FIELD_INVALID` for an unknown one and for one not installed."""
    try:
        if name == "regorus":
            from caracal_grpc.policy.regorus import RegorusEngine

            return RegorusEngine()
        if name == "regopy":
            from caracal_grpc.policy.regopy import RegopyEngine

            return RegopyEngine()
    except ImportError as exc:
        raise field_invalid("policy engine", _install(name)) from exc
    raise field_invalid("policy engine", f"must be one of {', '.join(ENGINES)}")


def _install(name: str) -> str:
    package = "caracal-grpc[server]" if name == "regorus" else name
    return f"{name} is not installed; run: pip install '{package}'"
