"""Credentials of upstreams as values."""

from __future__ import annotations

import json

import pytest

from caracal_grpc.core.upstream import CredentialKind, DeclaredUpstream, UpstreamCredential

FORMS: list[tuple[CredentialKind, str, str, tuple[str, str]]] = [
    ("header", "x-api-key", "abc", ("x-api-key", "abc")),
    ("bearer", "", "mF_9.B5f-4.1JqM", ("authorization", "Bearer mF_9.B5f-4.1JqM")),
    ("basic", "test", "123\u00a3", ("authorization", "Basic dGVzdDoxMjPCow==")),
]
"""The second is of RFC 6750 section 2.1, the third of RFC 7617 section 2.1."""


@pytest.mark.parametrize(("kind", "label", "secret", "header"), FORMS)
def test_header_is_that_of_its_standard(
    kind: CredentialKind, label: str, secret: str, header: tuple[str, str]
) -> None:
    """By its name in lower case."""
    upstream = UpstreamCredential("crm", "resource://crm", kind, label, "ups_1")
    assert upstream.header(secret) == header


@pytest.mark.parametrize(("kind", "label"), [(each[0], each[1]) for each in FORMS])
def test_value_comes_back(kind: CredentialKind, label: str) -> None:
    """Through JSON."""
    upstream = UpstreamCredential("crm", "resource://crm/*", kind, label, "ups_1")
    stored = json.loads(json.dumps(upstream.to_value()))
    assert UpstreamCredential.from_value(stored) == upstream


def test_what_is_declared_can_be_printed() -> None:
    """Without its secret."""
    declared = DeclaredUpstream("crm", "resource://crm", "bearer", secret="hunter2")
    assert "hunter2" not in repr(declared)
