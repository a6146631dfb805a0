"""Every reason for which a call is refused, and the gRPC status code each one answers with.

The names are those of `caracal/v1/error_reason.proto`; a test holds the two together.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Reason(StrEnum):
    """Why a call was refused; the meaning of each value is in `error_reason.proto`."""

    MANDATE_MISSING = "MANDATE_MISSING"
    MANDATE_MALFORMED = "MANDATE_MALFORMED"
    MANDATE_SIGNATURE_INVALID = "MANDATE_SIGNATURE_INVALID"
    KEY_UNKNOWN = "KEY_UNKNOWN"
    MANDATE_EXPIRED = "MANDATE_EXPIRED"
    MANDATE_NOT_YET_VALID = "MANDATE_NOT_YET_VALID"
    MANDATE_LIFETIME_EXCEEDED = "MANDATE_LIFETIME_EXCEEDED"
    ISSUER_MISMATCH = "ISSUER_MISMATCH"
    ZONE_MISMATCH = "ZONE_MISMATCH"
    AUDIENCE_MISMATCH = "AUDIENCE_MISMATCH"
    USE_MISMATCH = "USE_MISMATCH"
    BINDING_MISMATCH = "BINDING_MISMATCH"
    MANDATE_REVOKED = "MANDATE_REVOKED"
    MANDATE_REPLAYED = "MANDATE_REPLAYED"
    CLIENT_AUTH_FAILED = "CLIENT_AUTH_FAILED"
    SUBJECT_TOKEN_INVALID = "SUBJECT_TOKEN_INVALID"  # noqa: S105 - the name of a reason, no secret
    ACTOR_TOKEN_INVALID = "ACTOR_TOKEN_INVALID"  # noqa: S105 - the name of a reason, no secret
    POLICY_DENIED = "POLICY_DENIED"
    SCOPE_INSUFFICIENT = "SCOPE_INSUFFICIENT"
    METHOD_NOT_DECLARED = "METHOD_NOT_DECLARED"
    CEILING_EXCEEDED = "CEILING_EXCEEDED"
    DELEGATION_REQUIRED = "DELEGATION_REQUIRED"
    CHAIN_MISMATCH = "CHAIN_MISMATCH"
    HOPS_EXCEEDED = "HOPS_EXCEEDED"
    ACTOR_FORBIDDEN = "ACTOR_FORBIDDEN"
    APPROVAL_REJECTED = "APPROVAL_REJECTED"
    ZONE_FORBIDDEN = "ZONE_FORBIDDEN"
    STEP_UP_REQUIRED = "STEP_UP_REQUIRED"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_CONSUMED = "APPROVAL_CONSUMED"
    NO_ACTIVE_POLICY = "NO_ACTIVE_POLICY"
    SESSION_NOT_ACTIVE = "SESSION_NOT_ACTIVE"
    KEY_STATE_CONFLICT = "KEY_STATE_CONFLICT"
    FIELD_INVALID = "FIELD_INVALID"
    OBJECT_NOT_FOUND = "OBJECT_NOT_FOUND"
    OBJECT_EXISTS = "OBJECT_EXISTS"
    CONFLICT = "CONFLICT"
    RATE_LIMITED = "RATE_LIMITED"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    MANDATE_TOO_LARGE = "MANDATE_TOO_LARGE"
    METADATA_TOO_LARGE = "METADATA_TOO_LARGE"
    AUTHORITY_STALE = "AUTHORITY_STALE"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    POLICY_FAILED = "POLICY_FAILED"
    AUDIT_UNAVAILABLE = "AUDIT_UNAVAILABLE"
    DRAINING = "DRAINING"
    LEASE_FENCED = "LEASE_FENCED"
    ISSUER_UNAVAILABLE = "ISSUER_UNAVAILABLE"
    PROOF_INVALID = "PROOF_INVALID"
    ZONE_FROZEN = "ZONE_FROZEN"


_BY_CODE: Final = {
    "UNAUTHENTICATED": (
        Reason.MANDATE_MISSING,
        Reason.MANDATE_MALFORMED,
        Reason.MANDATE_SIGNATURE_INVALID,
        Reason.KEY_UNKNOWN,
        Reason.MANDATE_EXPIRED,
        Reason.MANDATE_NOT_YET_VALID,
        Reason.MANDATE_LIFETIME_EXCEEDED,
        Reason.ISSUER_MISMATCH,
        Reason.ZONE_MISMATCH,
        Reason.AUDIENCE_MISMATCH,
        Reason.USE_MISMATCH,
        Reason.BINDING_MISMATCH,
        Reason.MANDATE_REVOKED,
        Reason.MANDATE_REPLAYED,
        Reason.CLIENT_AUTH_FAILED,
        Reason.SUBJECT_TOKEN_INVALID,
        Reason.ACTOR_TOKEN_INVALID,
    ),
    "PERMISSION_DENIED": (
        Reason.POLICY_DENIED,
        Reason.SCOPE_INSUFFICIENT,
        Reason.METHOD_NOT_DECLARED,
        Reason.CEILING_EXCEEDED,
        Reason.DELEGATION_REQUIRED,
        Reason.CHAIN_MISMATCH,
        Reason.HOPS_EXCEEDED,
        Reason.ACTOR_FORBIDDEN,
        Reason.APPROVAL_REJECTED,
        Reason.ZONE_FORBIDDEN,
        Reason.PROOF_INVALID,
    ),
    "FAILED_PRECONDITION": (
        Reason.STEP_UP_REQUIRED,
        Reason.APPROVAL_EXPIRED,
        Reason.APPROVAL_CONSUMED,
        Reason.NO_ACTIVE_POLICY,
        Reason.SESSION_NOT_ACTIVE,
        Reason.KEY_STATE_CONFLICT,
        Reason.LEASE_FENCED,
        Reason.ZONE_FROZEN,
    ),
    "INVALID_ARGUMENT": (Reason.FIELD_INVALID,),
    "NOT_FOUND": (Reason.OBJECT_NOT_FOUND,),
    "ALREADY_EXISTS": (Reason.OBJECT_EXISTS,),
    "ABORTED": (Reason.CONFLICT,),
    "RESOURCE_EXHAUSTED": (
        Reason.RATE_LIMITED,
        Reason.LIMIT_EXCEEDED,
        Reason.MANDATE_TOO_LARGE,
        Reason.METADATA_TOO_LARGE,
    ),
    "UNAVAILABLE": (
        Reason.AUTHORITY_STALE,
        Reason.STORE_UNAVAILABLE,
        Reason.POLICY_FAILED,
        Reason.AUDIT_UNAVAILABLE,
        Reason.DRAINING,
        Reason.ISSUER_UNAVAILABLE,
    ),
}

CODE_OF: Final = {reason: code for code, reasons in _BY_CODE.items() for reason in reasons}
"""The name of the `grpc.StatusCode` that a reason answers with; the one table of the project."""

_HTTP_OF_CODE: Final = {
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "FAILED_PRECONDITION": 403,
    "INVALID_ARGUMENT": 400,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "ABORTED": 409,
    "RESOURCE_EXHAUSTED": 429,
    "UNAVAILABLE": 503,
}
_HTTP_OF_REASON: Final = {
    Reason.KEY_STATE_CONFLICT: 409,
    Reason.LEASE_FENCED: 409,
    # RFC 6585 section 5
    Reason.MANDATE_TOO_LARGE: 431,
    Reason.METADATA_TOO_LARGE: 431,
}

HTTP_STATUS_OF: Final = {
    reason: _HTTP_OF_REASON.get(reason, _HTTP_OF_CODE[code]) for reason, code in CODE_OF.items()
}
"""The HTTP status (RFC 9110 section 15) that a reason answers with where there is no gRPC.

What policy or a person has to change first is forbidden until then; a 400 would tell the caller to
write the request another way.
"""
