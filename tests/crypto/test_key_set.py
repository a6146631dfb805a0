"""Key sets hold ES256 keys and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.key_set import MAX_KEYS, KeySet, VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey

FIRST, SECOND = SigningKey.generate("first"), SigningKey.generate("second")
JWKS = {"keys": [FIRST.public_jwk, SECOND.public_jwk]}


def violation(jwks: dict[str, Any]) -> str:
    """The field for which `jwks` is refused."""
    with pytest.raises(CaracalError) as caught:
        KeySet.from_jwks(jwks)
    assert caught.value.reason is Reason.FIELD_INVALID
    return caught.value.violations[0].field


def test_round_trip() -> None:
    """A set written and read is equal, whatever the order."""
    keys = KeySet.from_jwks(JWKS)
    assert KeySet.from_jwks(keys.to_jwks()) == keys == KeySet(reversed(list(keys.values())))
    assert hash(KeySet.from_jwks(keys.to_jwks())) == hash(keys)
    assert list(keys) == ["first", "second"]
    assert len(keys) == 2


def test_difference_shows() -> None:
    """Another point under the same kid is another set."""
    assert KeySet([VerifyingKey.from_jwk(FIRST.public_jwk)]) != KeySet(
        [VerifyingKey.from_jwk(SigningKey.generate("first").public_jwk)]
    )


def test_members_that_do_not_matter_are_dropped() -> None:
    """RFC 7517 section 4: unknown members are ignored."""
    keys = KeySet.from_jwks({"keys": [{**FIRST.public_jwk, "x5c": ["MII"], "note": 1}]})
    assert keys.to_jwks() == {"keys": [FIRST.public_jwk]}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kid": None}, "kid"),
        ({"kid": ""}, "kid"),
        ({"kid": 7}, "kid"),
        ({"kid": "k" * 129}, "kid"),
        ({"kty": "RSA"}, "kty"),
        ({"kty": "oct"}, "kty"),
        ({"crv": "P-384"}, "crv"),
        ({"crv": "secp256k1"}, "crv"),
        ({"alg": "ES384"}, "alg"),
        ({"alg": "HS256"}, "alg"),
        ({"alg": None}, "alg"),
        ({"use": "enc"}, "use"),
        ({"use": None}, "use"),
        ({"x": None}, "x"),
        ({"x": "AAAA"}, "x"),
        ({"x": 7}, "x"),
        ({"y": FIRST.public_jwk["y"] + "="}, "y"),
        ({"d": "AAAA"}, "d"),
    ],
    ids=str,
)
def test_unfit_key_is_refused(changes: dict[str, Any], field: str) -> None:
    """The refusal names the member that is wrong."""
    jwk = {name: v for name, v in {**FIRST.public_jwk, **changes}.items() if v is not None}
    assert violation({"keys": [SECOND.public_jwk, jwk]}) == f"keys[1].{field}"


def test_point_off_the_curve_is_refused() -> None:
    """x of one key with y of another is no point (invalid-curve attack)."""
    assert violation({"keys": [{**FIRST.public_jwk, "y": SECOND.public_jwk["y"]}]}) == "keys[0]"


def test_duplicate_kid_is_refused() -> None:
    """Two keys of one name could each be meant."""
    twin = SigningKey.generate("first").public_jwk
    assert violation({"keys": [FIRST.public_jwk, twin]}) == "keys[1].kid"


@pytest.mark.parametrize("jwks", [{}, {"keys": {}}, {"keys": [FIRST.public_jwk] * (MAX_KEYS + 1)}])
def test_odd_set_is_refused(jwks: dict[str, Any]) -> None:
    """A set is a bounded list."""
    assert violation(jwks) == "keys"


def test_entry_that_is_no_key_is_refused() -> None:
    """An entry must be an object."""
    assert violation({"keys": ["key"]}) == "keys[0]"


def test_set_is_immutable() -> None:
    """Neither the set nor a key can be changed in place."""
    keys = KeySet.from_jwks(JWKS)
    with pytest.raises(TypeError):
        keys["third"] = keys["first"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        keys["first"].kid = "third"  # type: ignore[misc]
