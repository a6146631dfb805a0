"""The protected header of a token: what we write, and the little that we accept of others."""

from __future__ import annotations

import json
import re
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url, strict_json

ALGORITHM: Final = "ES256"
MANDATE_TYPE: Final = "at+jwt"
MANDATE_TYPES: Final = frozenset({MANDATE_TYPE, "application/at+jwt"})  # RFC 9068 section 4
EVENT_TYPE: Final = "secevent+jwt"  # RFC 8417 section 2.3

_KID: Final = re.compile(r"[\x21-\x7e]{1,128}")
# Each lets the sender of a token choose the key or the meaning of the header: RFC 7515 section 4.1.
_FORBIDDEN: Final = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc"})


def is_kid(value: object) -> bool:
    """Whether `value` can name a key: 1 to 128 visible ASCII characters."""
    return isinstance(value, str) and _KID.fullmatch(value) is not None


def encoded_header(kid: str, typ: str = MANDATE_TYPE) -> str:
    """The first segment of every token of a type that we sign with the key `kid`."""
    header = {"alg": ALGORITHM, "kid": kid, "typ": typ}
    return base64url.encode(json.dumps(header, separators=(",", ":")).encode("ascii"))


def kid_of(segment: str) -> str:
    """The `kid` of a header segment that is ES256 and of a mandate.

    Raises `MANDATE_MALFORMED` for another algorithm or type, and for a header that brings a key
    of its own or an extension.
    """
    try:
        header = strict_json.read_object(base64url.decode(segment))
    except (ValueError, RecursionError) as exc:
        raise malformed("its header is not one json object in base64url") from exc
    if header.get("alg") != ALGORITHM:
        raise malformed(f"its algorithm is not {ALGORITHM}")
    if not _FORBIDDEN.isdisjoint(header):
        raise malformed("its header names a key or an extension of its own")
    typ = header.get("typ", "")
    if not isinstance(typ, str) or typ.lower() not in MANDATE_TYPES:
        raise malformed("its header has another typ")
    kid = header.get("kid")
    if not isinstance(kid, str) or not is_kid(kid):
        raise malformed("its header has no usable kid")
    return kid


def malformed(what: str) -> CaracalError:
    """The refusal of a token whose form is wrong: `what` completes the sentence."""
    text = f"the token cannot be read: {what}; obtain a new one from the authority"
    return CaracalError(Reason.MANDATE_MALFORMED, text)
