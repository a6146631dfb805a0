"""What grants refer to and the zone does not have: most often a typo, and never of any effect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from caracal_grpc.authority.state.names import Names, scopes_exist
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.may_act import ANYONE

_NO_APPLICATION = "is not an application of the zone"
_NO_PROOF_SYSTEM = "is not declared in proof_systems"


def reference_violations(
    path: str, grants: Iterable[Mapping[str, Any]], names: Names
) -> Iterator[FieldViolation]:
    """Every reference that leads nowhere, of grants that are well formed; `path` is their field."""
    for index, grant in enumerate(grants):
        yield from grant_violations(f"{path}[{index}]", grant, names)


def grant_violations(path: str, grant: Mapping[str, Any], names: Names) -> Iterator[FieldViolation]:
    """Every reference of one grant that leads nowhere."""
    if grant.get("application") not in names.applications:
        yield FieldViolation(f"{path}.application", _NO_APPLICATION)
    scopes = frozenset(grant.get("scopes", ()))
    yield from scopes_exist(path, grant.get("resource", ""), scopes, names.scopes)
    for subject in grant.get("subjects", ()):
        if subject != ANYONE:
            yield from names.application(f"{path}.subjects", subject)
    for user in grant.get("users", ()):
        yield from names.user(f"{path}.users", user)
    approval = grant.get("approval", {})
    for reviewer in approval.get("reviewers", ()):
        yield from names.party(f"{path}.approval.reviewers", reviewer)
    if approval.get("proof_system") not in {None, *names.proof_systems}:
        yield FieldViolation(f"{path}.approval.proof_system", _NO_PROOF_SYSTEM)
