"""Key sets of other issuers: what is of use is kept, and nothing else stops it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.limits import MAX_JWKS_BYTES
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.foreign_keys import MAX_KEYS, ForeignKeys
from tests.support.foreign import ALGORITHMS, ForeignSigner, jwks, public_members, rsa_key

SIGNERS = {each: ForeignSigner.generate(each, each) for each in ALGORITHMS}
EC = SIGNERS["ES256"].jwk
RSA = SIGNERS["RS256"].jwk
OKP = SIGNERS["EdDSA"].jwk


def read(*entries: Any) -> ForeignKeys:
    """The set with these entries."""
    return ForeignKeys.from_jwks(json.dumps({"keys": list(entries)}).encode())


def test_every_kind_is_read() -> None:
    """Each with the algorithm that it is for."""
    keys = ForeignKeys.from_jwks(jwks(*SIGNERS.values()))
    assert [(key.kid, key.algorithm) for key in keys.keys] == [(each, each) for each in ALGORITHMS]
    assert all(keys.find(each, each) for each in ALGORITHMS)


def test_kind_of_a_key_decides_its_algorithms() -> None:
    """Whatever a token asks for, and whether the key says what it is for or not."""
    fits = {"RSA": {"RS256", "PS256"}, "EC": {"ES256"}, "OKP": {"EdDSA"}}
    for jwk in (EC, RSA, OKP):
        plain = {name: value for name, value in jwk.items() if name not in {"alg", "use"}}
        keys = read(plain)
        asked = (*ALGORITHMS, "none", "HS256", "RS512", "ES384", "")
        assert {each for each in asked if keys.find(each, jwk["kid"])} == fits[jwk["kty"]]
        assert read(jwk).find(jwk["alg"], jwk["kid"])
    assert read(RSA).find("PS256", "RS256") is None


@pytest.mark.parametrize(
    "odd",
    [
        None,
        "key",
        [],
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "secret", "alg": "HS256"},
        {**EC, "kty": ["EC"]},
        {**EC, "kty": "RSA"},
        {**EC, "crv": "P-384"},
        {**EC, "crv": "secp256k1"},
        {**EC, "x": EC["y"], "y": EC["x"]},
        {**EC, "x": EC["x"][:-4]},
        {**EC, "x": 7},
        {**EC, "y": None},
        {**EC, "x": "é" * 43},
        {**EC, "d": "AAAA"},
        {**EC, "use": "enc"},
        {**EC, "use": ["sig"]},
        {**EC, "key_ops": ["sign"]},
        {**EC, "key_ops": "verify"},
        {**EC, "kid": 7},
        {**EC, "kid": "k" * 129},
        {**EC, "kid": "a b"},
        {**EC, "alg": 7},
        {**OKP, "crv": "X25519"},
        {**OKP, "crv": "Ed448"},
        {**OKP, "x": OKP["x"][:-2]},
        {**RSA, "n": RSA["n"][:300]},
        {**RSA, "n": base64url.encode(b"\xff" * 1025)},
        {**RSA, "e": base64url.encode(b"\x01" * 5)},
        {**RSA, "e": base64url.encode(b"\x02")},
        {**RSA, "e": ""},
        {"kty": "RSA", "kid": "short"},
        {**EC, **public_members(ec.generate_private_key(ec.SECP384R1()))},
        {**RSA, **public_members(rsa_key(1024))},
    ],
)
def test_key_of_no_use_is_left_out(odd: Any) -> None:
    """The one beside it serves."""
    keys = read(odd, {**EC, "kid": "good"})
    assert [key.kid for key in keys.keys] == ["good"]


def test_bundle_of_a_trust_domain_has_keys_for_tokens() -> None:
    """Those for certificates are beside them, and verify no token."""
    bundle = ({**EC, "kid": "tokens", "use": "jwt-svid"}, {**EC, "kid": "ca", "use": "x509-svid"})
    assert [key.kid for key in read(*bundle).keys] == ["tokens"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"keys",
        b"[]",
        b"{}",
        b'{"keys": {}}',
        b'{"keys": [], "keys": []}',
        b'{"keys": [NaN]}',
        b"\xff\xfe",
        b'{"keys": ' + b"[" * 300 + b"]" * 300 + b"}",
        json.dumps({"keys": [EC] * (MAX_KEYS + 1)}).encode(),
        json.dumps({"keys": [EC], "pad": "x" * MAX_JWKS_BYTES}).encode(),
    ],
)
def test_what_is_no_key_set_is_refused(raw: bytes) -> None:
    """As a whole, so that the keys known before stay."""
    with pytest.raises(ValueError, match=r".+"):
        ForeignKeys.from_jwks(raw)


@given(
    entries=st.lists(
        st.dictionaries(
            st.sampled_from([*EC, *RSA, "key_ops", "d"]),
            st.one_of(
                st.sampled_from([*EC.values(), *RSA.values(), "OKP", "Ed25519"]),
                st.none() | st.integers() | st.text(max_size=4) | st.lists(st.text(max_size=4)),
            ),
        ),
        max_size=4,
    )
)
@settings(deadline=None)
def test_any_entries_are_read_or_left_out(entries: list[Any]) -> None:
    """No set of keys stops the good one beside them."""
    keys = read(*entries, {**EC, "kid": "good"})
    assert keys.keys[-1].kid == "good"


def test_largest_set_is_read() -> None:
    """An issuer for many may have many."""
    keys = read(*({**EC, "kid": f"k{number}"} for number in range(MAX_KEYS)))
    assert keys.find("ES256", "k63") is not None


def test_token_without_kid_needs_the_one_fitting_key() -> None:
    """Of two that could be it, neither is taken; keys of other kinds do not matter."""
    assert read(EC, RSA, OKP).find("ES256", "") is not None
    other = ForeignSigner.generate("ES256", "other").jwk
    assert read(EC, other).find("ES256", "") is None


def test_name_that_two_keys_bear_is_nobodys() -> None:
    """Unless the algorithm tells them apart."""
    other = ForeignSigner.generate("ES256", EC["kid"]).jwk
    assert read(EC, other).find("ES256", EC["kid"]) is None
    assert read(EC, {**RSA, "kid": EC["kid"]}).find("ES256", EC["kid"]) is not None


def test_key_without_a_name_is_found_without_one_only() -> None:
    """A token that names a key is not of one that has no name."""
    nameless = {name: value for name, value in EC.items() if name != "kid"}
    assert read(nameless).find("ES256", "") is not None
    assert read(nameless).find("ES256", "k1") is None
