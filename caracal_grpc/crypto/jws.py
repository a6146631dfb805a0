"""A mandate to its compact JWS (RFC 7515 section 7.1) and back: ES256, and one spelling only.

ECDSA gives every signature (r, s) a twin (r, n - s) that verifies as well. The twin carries the
same claims, so a replay check goes by `jti`, never by the text of the token.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_TOKEN_BYTES
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url, strict_json
from caracal_grpc.crypto.header import kid_of, malformed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
    from caracal_grpc.crypto.signing_key import SigningKey

_SIGNATURE_CHARS: Final = 86  # 64 bytes: RFC 7518 section 3.4


def sign(key: SigningKey, claims: Mapping[str, Any]) -> str:
    """The mandate that holds `claims`; raises `MANDATE_TOO_LARGE` past `MAX_TOKEN_BYTES`."""
    token = compact(key, key.header, claims)
    if len(token) > MAX_TOKEN_BYTES:
        text = f"the mandate would exceed {MAX_TOKEN_BYTES} bytes; ask for fewer scopes or hops"
        raise CaracalError(Reason.MANDATE_TOO_LARGE, text)
    return token


def compact(key: SigningKey, header: str, claims: Mapping[str, Any]) -> str:
    """`claims` signed under an encoded header; raises nothing for their size."""
    payload = json.dumps(dict(claims), separators=(",", ":"), allow_nan=False)
    signing_input = f"{header}.{base64url.encode(payload.encode())}"
    return f"{signing_input}.{base64url.encode(key.sign(signing_input.encode('ascii')))}"


def verify(token: str, keys: KeySet) -> dict[str, Any]:
    """The claims of a mandate that a key of `keys` signed; what they claim is not judged here.

    Checks size, shape, algorithm, key and signature, in this order, and reads the claims last, so
    that nobody without a key reaches the payload. Raises `MANDATE_MALFORMED`, `KEY_UNKNOWN` or
    `MANDATE_SIGNATURE_INVALID`, and nothing else.
    """
    signing_input, payload, signature = _parts(token)
    header = signing_input.partition(".")[0]
    key = keys.by_header(header) or _key(kid_of(header), keys)
    if not key.verifies(signing_input.encode("ascii"), signature):
        text = "the signature of the token does not hold; obtain a new one from the authority"
        raise CaracalError(Reason.MANDATE_SIGNATURE_INVALID, text, metadata={"kid": key.kid})
    try:
        return strict_json.read_object(payload)
    except (ValueError, RecursionError) as exc:
        raise malformed("its payload is not one json object") from exc


def _parts(token: str) -> tuple[str, bytes, bytes]:
    """The signing input, the decoded payload and the decoded signature of a well-shaped token."""
    if not isinstance(token, str) or len(token) > MAX_TOKEN_BYTES:
        raise malformed(f"it is not text of at most {MAX_TOKEN_BYTES} bytes")
    signing_input, _, signature = token.rpartition(".")
    header, _, payload = signing_input.partition(".")
    if not header or not payload or len(signature) != _SIGNATURE_CHARS or not token.isascii():
        raise malformed("it is not three segments of base64url")
    try:
        return signing_input, base64url.decode(payload), base64url.decode(signature)
    except ValueError as exc:
        raise malformed("it is not three segments of base64url") from exc


def _key(kid: str, keys: KeySet) -> VerifyingKey:
    key = keys.get(kid)
    if key is None:
        text = "no key of the zone has the kid of the token; obtain a new one from the authority"
        raise CaracalError(Reason.KEY_UNKNOWN, text, metadata={"kid": kid})
    return key
