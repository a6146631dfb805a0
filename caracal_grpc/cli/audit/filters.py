"""The filters of `audit search` and `audit tail`, as options and as a request."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest


class Decision(StrEnum):
    """How a recorded matter ended."""

    ALLOW = "allow"
    DENY = "deny"
    DONE = "done"


DecisionOption = Annotated[Decision | None, typer.Option("--decision", help="How it ended.")]
TypeOption = Annotated[
    str, typer.Option("--type", help="Kind of matter, such as exchange or revocation.")
]
ReasonOption = Annotated[
    str, typer.Option("--reason", help="Reason of a refusal, such as POLICY_DENIED.")
]
ApplicationOption = Annotated[str, typer.Option("--application", help="Acting application, app_….")]
SubjectOption = Annotated[str, typer.Option("--subject", help="On whose behalf.")]
ResourceOption = Annotated[str, typer.Option("--resource", help="Resource, resource://….")]
SessionOption = Annotated[str, typer.Option("--session", help="Session, ses_….")]
JtiOption = Annotated[str, typer.Option("--jti", help="Mandate, mnd_….")]
RequestIdOption = Annotated[
    str, typer.Option("--request-id", help="The caller's id of the request.")
]
AboutOption = Annotated[
    str, typer.Option("--about", help="What was changed: an anchor, approval, session or key.")
]


def search_request(
    zone: str,
    *,
    decision: Decision | None,
    kind: str,
    application: str,
    session: str,
    **same: Any,
) -> SearchRequest:
    """What finds the entries of `zone` that match; `same` are called alike in the proto."""
    from caracal_grpc.v1.audit_service_pb2 import SearchRequest

    return SearchRequest(
        zone=zone,
        decision=f"AUDIT_DECISION_{decision.name if decision else 'UNSPECIFIED'}",
        type=kind,
        application_id=application,
        session_id=session,
        **same,
    )
