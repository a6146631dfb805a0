"""Policies, their versions and what is wrong with them, on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.authority.policies.catalogue import Described
from caracal_grpc.authority.policies.content import Content
from caracal_grpc.authority.policies.loads import Load, LoadState
from caracal_grpc.policy.port import Finding, Severity, Tested
from caracal_grpc.services import render
from caracal_grpc.v1 import policy_pb2, zone_pb2

_SEVERITIES: Final[Mapping[Severity, policy_pb2.FindingSeverity]] = {
    "error": policy_pb2.FINDING_SEVERITY_ERROR,
    "warning": policy_pb2.FINDING_SEVERITY_WARNING,
}
_LOADS: Final[Mapping[LoadState, policy_pb2.PolicyLoad]] = {
    "loading": policy_pb2.POLICY_LOAD_LOADING,
    "loaded": policy_pb2.POLICY_LOAD_LOADED,
    "failed": policy_pb2.POLICY_LOAD_FAILED,
}


def policy(content: Content, version: str) -> zone_pb2.Policy:
    """All of a policy."""
    return zone_pb2.Policy(
        grants=[_grant(grant) for grant in content.grants],
        modules=_modules(content.modules),
        tests=_modules(content.tests),
        version=version,
    )


def version(described: Described) -> policy_pb2.PolicyVersion:
    """What is known of a version."""
    known = described.version
    return policy_pb2.PolicyVersion(
        version=known.id,
        create_time=render.timestamp(known.created_at),
        created_by=known.created_by,
        description=known.description,
        active=described.active,
        shadow=described.shadow,
        grants=known.grants,
        modules=known.modules,
    )


def finding(found: Finding) -> policy_pb2.PolicyFinding:
    """Something that validation found."""
    return policy_pb2.PolicyFinding(
        severity=_SEVERITIES[found.severity],
        place=found.place,
        line=found.line,
        column=found.column,
        text=found.text,
    )


def tested(test: Tested) -> policy_pb2.PolicyTestResult:
    """How a test ended."""
    return policy_pb2.PolicyTestResult(
        module=test.module, name=test.name, passed=test.passed, detail=test.detail
    )


def load(said: Load) -> policy_pb2.PolicyReplica:
    """How far a replica is."""
    return policy_pb2.PolicyReplica(
        replica=said.replica,
        version=said.version,
        load=_LOADS[said.state],
        detail=said.detail,
        time=render.timestamp(said.at),
    )


def _modules(sources: Mapping[str, str]) -> list[zone_pb2.PolicyModule]:
    return [zone_pb2.PolicyModule(name=name, source=source) for name, source in sources.items()]


def _grant(grant: Mapping[str, Any]) -> zone_pb2.Grant:
    approval = zone_pb2.ApprovalRule(**grant["approval"]) if "approval" in grant else None
    return zone_pb2.Grant(**{**grant, "approval": approval})
