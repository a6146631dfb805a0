"""The wire contract and the rules name the same reasons and the same scopes."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf import descriptor_pb2

from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_SCOPES
from caracal_grpc.core.reason import CODE_OF, Reason
from caracal_grpc.services.register import SERVICES
from caracal_grpc.v1 import authority_pb2, error_reason_pb2
from tests.support.contract import (
    METHODS,
    comments,
    promised,
    rule_of,
)

PREFIX = "ERROR_REASON_"
UNSENT = "Reserved: nothing answers with it yet."
BY_CLIENT = "The client side raises it"


def test_reasons_are_those_of_the_proto() -> None:
    """Each value of the enum but the unspecified one, and no other."""
    names = {name.removeprefix(PREFIX) for name in error_reason_pb2.ErrorReason.keys()}  # noqa: SIM118
    assert names - {"UNSPECIFIED"} == {reason.value for reason in Reason}


def test_every_reason_has_one_code() -> None:
    """A gRPC status code, and never OK, INTERNAL or UNKNOWN."""
    assert set(CODE_OF) == set(Reason)
    for name in CODE_OF.values():
        assert grpc.StatusCode[name].name not in {"OK", "INTERNAL", "UNKNOWN"}


def test_every_reason_is_explained_with_its_code() -> None:
    """The comment of a value begins with its code and says what it means."""
    said = comments("error_reason.proto")
    for reason in Reason:
        text = said[PREFIX + reason.value]
        assert text.startswith(f"{CODE_OF[reason]}. "), reason
        assert len(text) > len(CODE_OF[reason]) + 10


def text_of(path: str) -> str:
    """The comment of a method itself."""
    method = METHODS[path]
    return comments(method.containing_service.file.name.rpartition("/")[2])[method.name]


@pytest.mark.parametrize("path", METHODS)
def test_every_rpc_names_reasons_that_exist(path: str) -> None:
    """What a comment says that it answers is in the table; of any rpc, that it drains."""
    assert "Answers" in text_of(path)
    assert {"FIELD_INVALID", "DRAINING"} <= promised(path) <= {reason.value for reason in Reason}


@pytest.mark.parametrize("path", METHODS)
def test_every_rpc_declares_its_authority(path: str) -> None:
    """Public with a reason, or scopes of the authority itself, which its comment names."""
    rule = rule_of(METHODS[path])
    if rule.public:
        assert rule.public_reason
        assert not rule.scopes
        return
    assert rule.scopes
    assert set(rule.scopes) <= set(AUTHORITY_SCOPES)
    assert all(f"`{scope}`" in text_of(path) for scope in rule.scopes)


def test_every_service_points_to_what_the_guard_answers() -> None:
    """Whoever reads a service learns where the rest of its refusals is written."""
    for service in SERVICES:
        text = comments(service.file.name.rpartition("/")[2])[service.name]
        guarded = any(not rule_of(method).public for method in service.methods)
        assert ("`AuthorityRule`" in text) is guarded


def test_every_reason_has_a_sender() -> None:
    """Some rpc, the guard or the client side; of each other one it is said that it has none."""
    said = comments("error_reason.proto")
    sent = set[str]().union(*map(promised, METHODS))
    for reason in Reason:
        text = said[PREFIX + reason.value]
        senders = (reason.value in sent, BY_CLIENT in text, UNSENT in text)
        assert sum(senders) == 1, reason


def test_every_service_acts_on_the_authority() -> None:
    """One resource for all of them."""
    for service in SERVICES:
        options = descriptor_pb2.ServiceOptions.FromString(service.GetOptions().SerializeToString())
        assert options.Extensions[authority_pb2.resource] == AUTHORITY_RESOURCE
