"""The part of policy input that tells who asks, and on whose behalf."""

from __future__ import annotations

from typing import Any

from caracal_grpc.authority.exchange.lineage import Lineage
from caracal_grpc.authority.state.state import State


def who_asks(state: State, lineage: Lineage) -> dict[str, Any]:
    """`principal`, `subject`, `session`, `lineage` and `actor`.

    `actor` is the principal whenever authority was passed on to it, however that came about, so
    that no policy takes it for one that acts for itself.
    """
    zone, application, session = lineage.session.zone, lineage.application, lineage.session
    principal = {"id": application.id, "name": application.name}
    return {
        "principal": {**principal, "labels": list(application.labels)},
        "subject": _subject(state, lineage),
        "session": {
            "id": session.id,
            "root": lineage.root,
            "labels": list(session.labels),
            "delegation": session.delegation or None,
        },
        "lineage": [
            {
                "application_id": hop.application,
                "name": state.name_of(zone, hop.application),
                "session_id": hop.session,
                "delegation_id": hop.delegation,
            }
            for hop in lineage.chain
        ],
        "actor": principal if lineage.chain else None,
    }


def _subject(state: State, lineage: Lineage) -> dict[str, str]:
    user = lineage.user
    plain = {"id": lineage.subject, "type": lineage.subject_type}
    if user is not None:
        return {**plain, "name": user.name, "issuer": user.issuer, "subject": user.subject}
    return {**plain, "name": state.name_of(lineage.session.zone, lineage.subject)}
