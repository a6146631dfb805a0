"""Security event tokens (RFC 8417): what the authority tells, signed with the keys of its mandates.

The type in the header keeps the two apart: no verifier of mandates takes one for a mandate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from caracal_grpc.crypto import jws
from caracal_grpc.crypto.header import EVENT_TYPE, encoded_header
from caracal_grpc.crypto.signing_key import SigningKey


def mint(key: SigningKey, claims: Mapping[str, Any]) -> str:
    """The compact JWS of `claims`, which are not bounded here."""
    return jws.compact(key, encoded_header(key.kid, EVENT_TYPE), claims)
