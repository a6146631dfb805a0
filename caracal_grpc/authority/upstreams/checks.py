"""What is wrong with the credential of an upstream; no text repeats what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from caracal_grpc.authority.state.names import names_of, resource_exists
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.zones.violations import tried
from caracal_grpc.core.errors import FieldViolation
from caracal_grpc.core.header_field import AUTHORIZATION, is_value, name_problem
from caracal_grpc.core.ids import require_resource_or_family, require_slug
from caracal_grpc.core.limits import AUTHORITY_RESOURCE, MAX_UPSTREAM_SECRET
from caracal_grpc.core.upstream import CredentialKind, DeclaredUpstream

PATH: Final = "upstream"
_SECRET_FIELDS: Final[Mapping[CredentialKind, str]] = MappingProxyType(
    {"header": "header.value", "bearer": "bearer.token", "basic": "basic.password"}
)
"""Where a request says the secret of each kind."""

_MAX_USER: Final = 255
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""A `b64token` of RFC 6750 section 2.1."""
_USER: Final = re.compile(rf"[^:\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{_MAX_USER}}}")
_PASSWORD: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
"""RFC 7617 section 2."""


def upstream_violations(
    state: State, zone: str, wanted: DeclaredUpstream
) -> Iterator[FieldViolation]:
    """What is wrong with what is wanted, given the credential of that name that there may be."""
    yield from tried(require_slug, f"{PATH}.name", wanted.name)
    yield from _resource_violations(state, zone, wanted.resource)
    present = state.upstream(zone, wanted.name)
    yield from _label_violations(wanted.kind, wanted.label)
    yield from _secret_violations(wanted, is_kept=bool(present and present.kind == wanted.kind))


def _resource_violations(state: State, zone: str, resource: str) -> Iterator[FieldViolation]:
    path = f"{PATH}.resource"
    malformed = tuple(tried(require_resource_or_family, path, resource))
    if malformed:
        yield from malformed
    elif resource == AUTHORITY_RESOURCE:
        yield FieldViolation(path, "is the authority itself, which is behind no gateway")
    else:
        yield from resource_exists(path, resource, names_of(state, zone).scopes)


def _secret_violations(wanted: DeclaredUpstream, *, is_kept: bool) -> Iterator[FieldViolation]:
    path = f"{PATH}.{_SECRET_FIELDS[wanted.kind]}"
    if not wanted.secret:
        if not is_kept:
            yield FieldViolation(path, "must be given, since there is none yet")
    elif len(wanted.secret.encode()) > MAX_UPSTREAM_SECRET:
        yield FieldViolation(path, f"must be at most {MAX_UPSTREAM_SECRET} bytes")
    else:
        fits, text = _FORMS[wanted.kind]
        if not fits(wanted.secret):
            yield FieldViolation(path, text)


def _is_token(text: str) -> bool:
    return _TOKEN.fullmatch(text) is not None


def _is_password(text: str) -> bool:
    return _PASSWORD.fullmatch(text) is not None


_FORMS: Final[Mapping[CredentialKind, tuple[Callable[[str], bool], str]]] = MappingProxyType(
    {
        "header": (is_value, "must be printable ASCII without space around it"),
        "bearer": (
            _is_token,
            "must be letters, digits, -, ., _, ~, + or /, with = at the end only",
        ),
        "basic": (_is_password, "must be without control characters"),
    }
)


def _header_name(label: str) -> str:
    """What is wrong with the name of a header, empty for nothing."""
    if label == AUTHORIZATION:
        return "must not be authorization; give a bearer or a basic for that"
    return name_problem(label)


def _user_name(label: str) -> str:
    fits = _USER.fullmatch(label)
    return "" if fits else f"must be 1 to {_MAX_USER} characters without colon and controls"


_LABELS: Final[Mapping[CredentialKind, tuple[str, Callable[[str], str]]]] = MappingProxyType(
    {"header": ("header.name", _header_name), "basic": ("basic.username", _user_name)}
)


def _label_violations(kind: CredentialKind, label: str) -> Iterator[FieldViolation]:
    if kind in _LABELS:
        name, problem = _LABELS[kind]
        wrong = problem(label)
        if wrong:
            yield FieldViolation(f"{PATH}.{name}", wrong)
