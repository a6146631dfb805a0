"""The wire contract and the rules name the same reasons and the same scopes."""

from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import MethodDescriptor

from caracal_grpc.core.limits import AUTHORITY_RESOURCE, AUTHORITY_SCOPES
from caracal_grpc.core.reason import CODE_OF, Reason
from caracal_grpc.services.register import SERVICES
from caracal_grpc.v1 import authority_pb2, error_reason_pb2

PROTO = Path(__file__).parent.parent.parent / "proto" / "caracal" / "v1"
PREFIX = "ERROR_REASON_"
METHODS = [method for service in SERVICES for method in service.methods]
WORD = re.compile(r"\b[A-Z][A-Z]+(?:_[A-Z]+)+\b|\bCONFLICT\b|\bDRAINING\b")


def comments(path: Path) -> dict[str, str]:
    """The comment above each rpc and each enum value of a file."""
    found, block = {}, ""
    for line in path.read_text().splitlines():
        text = line.strip()
        if text.startswith("//"):
            block += " " + text.removeprefix("//").strip()
            continue
        if match := re.match(r"rpc (\w+)|(ERROR_REASON_\w+) =", text):
            found[match[1] or match[2]] = block.strip()
        block = ""
    return found


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
    said = comments(PROTO / "error_reason.proto")
    for reason in Reason:
        text = said[PREFIX + reason.value]
        assert text.startswith(f"{CODE_OF[reason]}. "), reason
        assert len(text) > len(CODE_OF[reason]) + 10


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rpc_names_reasons_that_exist(method: MethodDescriptor) -> None:
    """What a comment says that it answers is in the table."""
    text = comments(PROTO / Path(method.containing_service.file.name).name)[method.name]
    named = set(WORD.findall(text))
    assert "Answers" in text
    assert named
    assert named <= {reason.value for reason in Reason}


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)
def test_every_rpc_declares_its_authority(method: MethodDescriptor) -> None:
    """Public with a reason, or scopes of the authority itself, which its comment names."""
    options = descriptor_pb2.MethodOptions.FromString(method.GetOptions().SerializeToString())
    assert options.HasExtension(authority_pb2.authority)
    rule = options.Extensions[authority_pb2.authority]
    if rule.public:
        assert rule.public_reason
        assert not rule.scopes
        return
    assert rule.scopes
    assert set(rule.scopes) <= set(AUTHORITY_SCOPES)
    text = comments(PROTO / Path(method.containing_service.file.name).name)[method.name]
    assert all(f"`{scope}`" in text for scope in rule.scopes)


def test_every_service_acts_on_the_authority() -> None:
    """One resource for all of them."""
    for service in SERVICES:
        options = descriptor_pb2.ServiceOptions.FromString(service.GetOptions().SerializeToString())
        assert options.Extensions[authority_pb2.resource] == AUTHORITY_RESOURCE
