"""Who may act on behalf of whom at a resource (after RFC 8693 section 4.4)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import SubjectType
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import MayAct

ANYONE = "*"


def require_may_act(
    rules: Sequence[MayAct], actors: Iterable[tuple[str, str]], subject: frozenset[str]
) -> None:
    """Returns when each of `actors`, `(id, name)`, may act on behalf of `subject`, its names.

    Without rules everybody may. Raises `ACTOR_FORBIDDEN`, naming the first who may not.
    """
    if not rules:
        return
    allowed = {rule.actor for rule in rules if not subject.isdisjoint(rule.subjects)}
    for actor, name in actors:
        if name not in allowed:
            raise actor_forbidden(
                actor,
                f"{name or actor} may not act on behalf of this subject here; the resource's "
                "may_act would have to name both",
            )


def names_of(kind: SubjectType, name: str) -> frozenset[str]:
    """Everything that rules may call a subject: by name, by the issuer of a user, as anyone."""
    names = {name, ANYONE} - {""}
    if kind == "user" and "/" in name:
        names.add(f"{name.partition('/')[0]}/{ANYONE}")
    return frozenset(names)


def actor_forbidden(actor: str, text: str) -> CaracalError:
    """The refusal of who may not act (`ACTOR_FORBIDDEN`)."""
    return CaracalError(Reason.ACTOR_FORBIDDEN, text, metadata={"actor": actor})
