"""Who may review an approval: the one function that decides it."""

from __future__ import annotations

from caracal_grpc.authority.state.state import State
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason

APPROVALS_DECIDE = "caracal:approvals:decide"


def may_see(state: State, caller: Mandate, approval: Approval) -> bool:
    """Whether the caller may read it: what it asked for itself, what names it as a reviewer, or all
    as one who decides.
    """
    own = caller.application == approval.held.application
    named = bool(approval.terms.reviewers) and _is_named(state, caller, approval)
    return own or named or APPROVALS_DECIDE in caller.scopes


def require_reviewer(state: State, caller: Mandate, approval: Approval) -> None:
    """Raises `ACTOR_FORBIDDEN` for who had a part in the request, or is not to review it."""
    own = sorted(set(approval.held.parties).intersection(caller.anchors))
    if own:
        raise _forbidden("nobody decides what its own lineage asked for", own[0])
    if not _is_named(state, caller, approval):
        raise _forbidden("policy names others to review this", caller.subject)


def _is_named(state: State, caller: Mandate, approval: Approval) -> bool:
    """Names are of the approval's zone: whoever is called the same in another is somebody else."""
    if not approval.terms.reviewers:
        return True
    name = _name(state, caller) if caller.zone == approval.held.zone else ""
    return bool(name) and approval.terms.names(name)


def _name(state: State, caller: Mandate) -> str:
    """What policy calls the one for whom the caller speaks; empty when it knows no name."""
    if caller.subject_type == "application":
        found = state.application(caller.zone, caller.subject)
        return found.name if found else ""
    session = state.find_session(caller.zone, caller.session)
    user = session.user if session else None
    return user.name if user and user.id == caller.subject else ""


def _forbidden(text: str, actor: str) -> CaracalError:
    return CaracalError(Reason.ACTOR_FORBIDDEN, text, metadata={"actor": actor})
