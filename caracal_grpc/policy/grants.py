"""The built-in policy: grants in a document, for those who need no Rego."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from caracal_grpc.core.decision import MAX_TTL_SECONDS
from caracal_grpc.core.errors import CaracalError, FieldViolation, field_invalid
from caracal_grpc.core.ids import (
    family_of,
    require_labels,
    require_resource_or_family,
    require_scope,
    require_slug,
)
from caracal_grpc.core.limits import (
    AUTHORITY_OWN_SCOPES,
    DEFAULT_APPROVAL_TTL,
    MAX_APPROVAL_TTL,
    MAX_REVIEWS,
    MAX_USER_SUBJECT,
    MIN_APPROVAL_TTL,
)
from caracal_grpc.core.reason import Reason

GRANTS_MODULE: Final = "grants.rego"
ANYONE: Final = "*"
MAX_GRANTS: Final = 100_000
MAX_ITEMS: Final = 256
MAX_VIOLATIONS: Final = 20
"""Violations in one refusal; the first ones are enough to go on with."""

_PATH: Final = "policy.grants"
"""Where the grants of a declared zone are."""

_REQUIRED: Final = ("application", "resource", "scopes")
_APPROVAL: Final[Mapping[str, Any]] = {
    "reviews": 1,
    "reviewers": [],
    "ttl_seconds": DEFAULT_APPROVAL_TTL,
    "proof_system": "",
}
"""What an approval needs that a grant says nothing of."""

Grant = Mapping[str, Any]
ByResource = dict[str, list[dict[str, Any]]]


def grants_modules() -> dict[str, str]:
    """The modules of the built-in policy, for `Engine.compile`."""
    return {GRANTS_MODULE: _source()}


def is_built_in(modules: Mapping[str, str]) -> bool:
    """Whether these are the modules of the built-in policy, to the letter."""
    return modules == grants_modules()


@cache
def _source() -> str:
    return files("caracal_grpc.policy").joinpath(GRANTS_MODULE).read_text(encoding="utf-8")


def grants_data(grants: Iterable[Grant]) -> dict[str, Any]:
    """The data of the built-in policy: `{"grants": {application: {resource: [grant, ...]}}}`.

    `number` of a grant is its place among `grants`, from 0. What is granted on a family is also in
    the list of each resource of it that has one. Raises what `validate_grants` raises, and
    `FIELD_INVALID` when that makes too much of it.
    """
    by_application: dict[str, ByResource] = {}
    numbered = enumerate(validate_grants(list(grants)))
    for number, grant in sorted(numbered, key=lambda each: _life(each[1])):
        resources = by_application.setdefault(grant["application"], {})
        laid_out = _laid_out(grant) | {"number": number}
        resources.setdefault(grant["resource"], []).append(laid_out)
    if sum(map(_share, by_application.values())) > MAX_GRANTS:
        text = "are too many on single resources and their families at once; grant on families"
        raise field_invalid(_PATH, text)
    return {"grants": by_application, "own_scopes": list(AUTHORITY_OWN_SCOPES)}


def _share(resources: ByResource) -> int:
    """Adds to the list of each resource those of its family; answers how many, or one too many."""
    named = {name: resources.get(family_of(name) or "", []) for name in resources}
    added = sum(map(len, named.values()))
    if added <= MAX_GRANTS:
        shared = {name: grants for name, grants in named.items() if grants}
        for name, grants in shared.items():
            resources[name] = sorted([*resources[name], *grants], key=_life)
    return added


def validate_grants(grants: object) -> list[dict[str, Any]]:
    """`grants` when each is well formed; raises `FIELD_INVALID` with the path of all that is not.

    The path is that in a declared zone, such as `policy.grants[0].scopes`.

    A grant holds `application` (a name), `resource`, `scopes`, and perhaps `subjects` (names of
    applications on whose behalf it holds, or `*` for anyone; without, and without `users`: only for
    itself), `users` (`issuer/subject` or `issuer/*`), `labels` (of which the session carries one),
    `ttl_seconds`, `step_up` (scopes that need an approval) and `approval` (what that needs).
    """
    if not isinstance(grants, list | tuple):
        raise field_invalid(_PATH, "must be a list of grants")
    if len(grants) > MAX_GRANTS:
        raise field_invalid(_PATH, f"must be at most {MAX_GRANTS} grants")
    violations: list[FieldViolation] = []
    for index, grant in enumerate(grants):
        violations.extend(_violations(f"{_PATH}[{index}]", grant))
        if len(violations) >= MAX_VIOLATIONS:
            break
    if violations:
        shown = tuple(violations[:MAX_VIOLATIONS])
        text = f"{shown[0].field}: {shown[0].description}"
        raise CaracalError(Reason.FIELD_INVALID, text, violations=shown)
    return [dict(grant) for grant in grants]


def _laid_out(grant: Grant) -> dict[str, Any]:
    """`grant` as the module reads it: with every member, lists empty where it names none."""
    laid_out: dict[str, Any] = {"scopes": sorted(set(grant["scopes"]))}
    for name in ("subjects", "labels", "step_up", "users"):
        laid_out[name] = list(grant.get(name) or ())
    if laid_out["step_up"]:
        laid_out["approval"] = {**_APPROVAL, **(grant.get("approval") or {})}
    return {**laid_out, "ttl_seconds": _life(grant)}


def _life(grant: Grant) -> int:
    """Seconds that a mandate of this grant may live; without a bound, the most there is."""
    return int(grant.get("ttl_seconds", MAX_TTL_SECONDS))


def _violations(path: str, grant: object) -> list[FieldViolation]:
    if not isinstance(grant, Mapping):
        return [FieldViolation(path, "must be a grant with application, resource and scopes")]
    found = [
        FieldViolation(f"{path}.{name}", "must be there") for name in _REQUIRED if name not in grant
    ]
    for name, value in grant.items():
        found.extend(_member_violations(path, name, value))
    return found or _outside(path, grant)


def _member_violations(path: str, name: object, value: object) -> list[FieldViolation]:
    check = _CHECKS.get(name) if isinstance(name, str) else None
    if check is None:
        known = ", ".join(_CHECKS)
        return [FieldViolation(f"{path}.{str(name)[:64]}", f"is not known; known are {known}")]
    try:
        check(f"{path}.{name}", value)
    except CaracalError as exc:
        return list(exc.violations)
    return []


def _outside(path: str, grant: Grant) -> list[FieldViolation]:
    """A step-up for a scope that the grant does not give would guard nothing."""
    outside = [scope for scope in grant.get("step_up") or () if scope not in grant["scopes"]]
    if outside:
        return [FieldViolation(f"{path}.step_up", "must be among the scopes")]
    if grant.get("approval") and not grant.get("step_up"):
        return [FieldViolation(f"{path}.approval", "needs step_up, the scopes that it is for")]
    return []


def _name(path: str, value: object) -> None:
    require_slug(path, _text(path, value))


def _resource(path: str, value: object) -> None:
    require_resource_or_family(path, _text(path, value))


def _scopes(path: str, value: object) -> None:
    if not _items(path, value):
        raise field_invalid(path, "must name at least one scope")
    _optional_scopes(path, value)


def _optional_scopes(path: str, value: object) -> None:
    for index, scope in enumerate(_items(path, value)):
        require_scope(f"{path}[{index}]", _text(f"{path}[{index}]", scope))


def _subjects(path: str, value: object) -> None:
    subjects = _items(path, value)
    if not subjects:
        raise field_invalid(path, "must name an application or *, or be left out")
    for index, subject in enumerate(subjects):
        if subject != ANYONE:
            _name(f"{path}[{index}]", subject)


def _users(path: str, value: object) -> None:
    users = _items(path, value)
    if not users:
        raise field_invalid(path, "must name a user, or be left out")
    for index, user in enumerate(users):
        _user(f"{path}[{index}]", user)


def _user(path: str, value: object) -> None:
    issuer, slash, subject = _text(path, value).partition("/")
    if not (slash and 0 < len(subject) <= MAX_USER_SUBJECT and subject.isprintable()):
        raise field_invalid(path, "must be the name of an issuer, a slash, and a subject or *")
    require_slug(path, issuer)


def _approval(path: str, value: object) -> None:
    if not isinstance(value, Mapping) or value.keys() - _APPROVAL.keys():
        raise field_invalid(path, f"must be a mapping of {', '.join(_APPROVAL)}")
    needs = {**_APPROVAL, **value}
    _whole(f"{path}.reviews", needs["reviews"], 1, MAX_REVIEWS)
    _whole(f"{path}.ttl_seconds", needs["ttl_seconds"], MIN_APPROVAL_TTL, MAX_APPROVAL_TTL)
    if needs["proof_system"]:
        _name(f"{path}.proof_system", needs["proof_system"])
    reviewers = _items(f"{path}.reviewers", needs["reviewers"])
    for index, reviewer in enumerate(reviewers):
        known = _user if "/" in str(reviewer) else _name
        known(f"{path}.reviewers[{index}]", reviewer)
    families = any(str(reviewer).endswith("/*") for reviewer in reviewers)
    if reviewers and not families and len(set(reviewers)) < needs["reviews"]:
        raise field_invalid(f"{path}.reviewers", "must be at least as many as reviews")


def _whole(path: str, value: object, low: int, high: int) -> None:
    if type(value) is not int or not low <= value <= high:
        raise field_invalid(path, f"must be a whole number from {low} to {high}")


def _labels(path: str, value: object) -> None:
    labels = _items(path, value)
    if not labels:
        raise field_invalid(path, "must name a label, or be left out")
    require_labels(path, (_text(f"{path}[{index}]", each) for index, each in enumerate(labels)))


def _ttl(path: str, value: object) -> None:
    _whole(path, value, 1, MAX_TTL_SECONDS)


def _text(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise field_invalid(path, "must be text")
    return value


def _items(path: str, value: object) -> list[Any]:
    if not isinstance(value, list | tuple) or len(value) > MAX_ITEMS:
        raise field_invalid(path, f"must be a list of at most {MAX_ITEMS}")
    return list(value)


_CHECKS: Final[Mapping[str, Callable[[str, object], None]]] = {
    "application": _name,
    "resource": _resource,
    "scopes": _scopes,
    "subjects": _subjects,
    "labels": _labels,
    "ttl_seconds": _ttl,
    "step_up": _optional_scopes,
    "users": _users,
    "approval": _approval,
}
