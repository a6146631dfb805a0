"""The one way from a mandate to the token that travels, and back."""

from __future__ import annotations

from caracal_grpc.core.mandate import Mandate, from_claims, to_claims
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.header import kid_of
from caracal_grpc.crypto.key_set import KeySet
from caracal_grpc.crypto.signing_key import SigningKey


def mint(key: SigningKey, mandate: Mandate) -> str:
    """The token of `mandate`, signed by `key`; raises `MANDATE_TOO_LARGE` past its budget."""
    return jws.sign(key, to_claims(mandate))


def read(token: str, keys: KeySet) -> Mandate:
    """The mandate in `token`; that its signature holds is checked, what it permits is not.

    Raises `MANDATE_MALFORMED`, `KEY_UNKNOWN`, `MANDATE_SIGNATURE_INVALID` or `CHAIN_MISMATCH`.
    """
    claims = jws.verify(token, keys)
    header = token.partition(".")[0]
    key = keys.by_header(header)
    return from_claims(claims, key.kid if key else kid_of(header))
