"""The proof that a zone works: its caller gets what it is granted, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.context import Choice, Target, load
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.core.ids import is_family
from caracal_grpc.core.reason import Reason

if TYPE_CHECKING:
    from caracal_grpc.cli.manifest import Manifest
    from caracal_grpc.cli.manifest.shape import Grant

_TRIES: Final = 10
_PAUSE: Final = 0.3
_NEWS: Final = frozenset({Reason.CLIENT_AUTH_FAILED, Reason.NO_ACTIVE_POLICY})
"""What a replica answers that has not heard of the zone yet; another one took the apply."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What is to be proven: `refused` is a scope that nobody grants, empty when all are granted."""

    caller: str
    resource: str
    granted: str
    refused: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the authority answered, with the entries of the ledger."""

    claim: Claim
    granted_audit_id: str
    reason: str = ""
    refused_audit_id: str = ""

    def view(self) -> dict[str, Any]:
        """It for programs."""
        shown = asdict(self)
        return {**shown.pop("claim"), **shown}


def claim_of(manifest: Manifest) -> Claim | None:
    """What the first grant claims that an application acts on for itself; `None` without one."""
    shape = manifest.shape
    grant = next(filter(_is_plain, shape.grants), None)
    if grant is None:
        return None
    given = {
        scope
        for each in shape.grants
        if (each.application, each.resource) == (grant.application, grant.resource)
        for scope in each.scopes
    }
    every = [each.scopes for each in shape.resources if each.name == grant.resource]
    lacking = [scope for scopes in every for scope in scopes if scope not in given]
    refused = lacking[0] if lacking else ""
    return Claim(grant.application, grant.resource, grant.scopes[0], refused)


def _is_plain(grant: Grant) -> bool:
    """Whether its application needs nothing but its credential to make use of it."""
    conditions = (grant.subjects, grant.users, grant.labels, grant.step_up)
    return bool(grant.scopes) and not any(conditions) and not is_family(grant.resource)


def prove(claim: Claim, profile: Path) -> Proof:
    """Two real exchanges as the caller, whose file `profile` is; raises `CliError` when the zone
    does not do as it claims.
    """
    from caracal_grpc.cli.connection import run

    loaded = load(Choice(profile, "init"))
    target = Target(loaded, loaded.zone, profile)
    return run(target, _prove(target, claim))


async def _prove(target: Target, claim: Claim) -> Proof:
    import grpc.aio

    from caracal_grpc.cli.exchange import answer
    from caracal_grpc.interceptors.client.tokens import Ask
    from caracal_grpc.interceptors.status import from_rpc_error

    granted = await _heard(target, Ask(claim.resource, frozenset({claim.granted})))
    if not claim.refused:
        return Proof(claim, granted.audit_id)
    try:
        await answer(target, Ask(claim.resource, frozenset({claim.refused})))
    except grpc.aio.AioRpcError as error:
        refusal = from_rpc_error(error)
        if refusal is None or refusal.code != "PERMISSION_DENIED":
            raise
        audit_id = refusal.metadata.get("audit_id", "")
        return Proof(claim, granted.audit_id, refusal.reason.value, audit_id)
    text = f"{claim.caller} was given {claim.refused}, which no grant names; see what is active"
    raise CliError(ExitCode.FOUND, f"{text}: caracal-grpc policy status")


async def _heard(target: Target, ask: Any) -> Any:
    """The answer of a replica, once it has heard of the zone."""
    import grpc.aio

    from caracal_grpc.cli.exchange import answer
    from caracal_grpc.interceptors.status import from_rpc_error

    for left in reversed(range(_TRIES)):
        try:
            return await answer(target, ask)
        except grpc.aio.AioRpcError as error:
            refusal = from_rpc_error(error)
            if not left or refusal is None or refusal.reason not in _NEWS:
                raise
        await asyncio.sleep(_PAUSE)
    raise AssertionError("the last try ends by an answer or an error")
