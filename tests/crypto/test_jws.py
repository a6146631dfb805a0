"""Mandates survive the round trip, and nothing but a mandate of a known key is accepted."""

from __future__ import annotations

import hashlib
import hmac
import json
import string
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import jws
from caracal_grpc.crypto.key_set import KeySet, VerifyingKey
from caracal_grpc.crypto.signing_key import SigningKey
from tests.crypto.tokens import (
    CLAIMS,
    HEADER,
    KEY,
    KEYS,
    KID,
    ORDER,
    resigned,
    segment,
    signed,
    unsegment,
    verifies_raw,
)

TOKEN = jws.sign(KEY, CLAIMS)
URL_SAFE = string.ascii_letters + string.digits + "-_"

# Made once by another implementation (cryptography alone) with a key that is gone.
GOLDEN_JWK = {
    "kty": "EC",
    "crv": "P-256",
    "use": "sig",
    "alg": "ES256",
    "kid": "golden",
    "x": "OWRlWalit7lfz5IqwQgM66leNqnoXe-FrTc2Q3AB4mI",
    "y": "8CEO-ws7MrTkhJJHmuzyVm2Aw41akfA4XOLhV9Um8hc",
}
GOLDEN_TOKEN = (
    "eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFUzI1NiIsImtpZCI6ImdvbGRlbiJ9.eyJpc3MiOiJodHRwczo"
    "vL2F1dGhvcml0eS5leGFtcGxlL3pvbmVzL2FjbWUiLCJqdGkiOiJnb2xkZW4ifQ.VAwsTo2V98TQ-qMU"
    "SFqnsi0WeAsZhdWp3ZwSZAR3VaO9re_7ZXF6N3wHIlnSzNm1dkszYTgGytHts8qIPEFsnw"
)


def refusal(token: Any, keys: KeySet = KEYS) -> Reason:
    """The reason for which `verify` refuses `token`."""
    with pytest.raises(CaracalError) as caught:
        jws.verify(token, keys)
    return caught.value.reason


def with_header(**changes: Any) -> str:
    """A token with a good signature whose header has `changes`; `None` takes a member out."""
    header = {name: value for name, value in {**HEADER, **changes}.items() if value is not None}
    return signed(header, CLAIMS)


def public_forms() -> list[bytes]:
    """The public key in the forms that confused verifiers take for a shared secret."""
    private = load_der_private_key(KEY.private_bytes(), password=None)
    assert isinstance(private, ec.EllipticCurvePrivateKey)
    public = private.public_key()
    info = PublicFormat.SubjectPublicKeyInfo
    return [
        public.public_bytes(Encoding.PEM, info),
        public.public_bytes(Encoding.DER, info),
        public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        json.dumps(KEY.public_jwk).encode(),
    ]


def test_claims_survive_the_round_trip() -> None:
    """What is signed is what is verified."""
    assert jws.verify(TOKEN, KEYS) == CLAIMS


def test_header_is_exactly_three_members() -> None:
    """The header names algorithm, key and type, and nothing else."""
    assert json.loads(unsegment(TOKEN.split(".")[0])) == HEADER


def test_other_implementation_accepts_ours() -> None:
    """Cryptography alone accepts a token that we signed."""
    assert verifies_raw(TOKEN, KEY.public_jwk)


def test_ours_accepts_other_implementation() -> None:
    """A token made by cryptography alone, spaces in its json included, verifies."""
    assert jws.verify(signed(HEADER, CLAIMS), KEYS) == CLAIMS


def test_golden_token_verifies() -> None:
    """A token of long ago verifies still."""
    claims = jws.verify(GOLDEN_TOKEN, KeySet.from_jwks({"keys": [GOLDEN_JWK]}))
    assert claims == {"iss": "https://authority.example/zones/acme", "jti": "golden"}


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_mandate_types_are_accepted(typ: str) -> None:
    """RFC 9068 section 4 and RFC 7515 section 4.1.9 allow these spellings."""
    assert jws.verify(with_header(typ=typ), KEYS) == CLAIMS


@pytest.mark.parametrize(
    "changes",
    [
        {"alg": "none"},
        {"alg": "es256"},
        {"alg": "ES384"},
        {"alg": "HS256"},
        {"alg": ["ES256"]},
        {"alg": None},
        {"typ": None},
        {"typ": "JWT"},
        {"typ": 7},
        {"kid": None},
        {"kid": ""},
        {"kid": 7},
        {"kid": ["a"]},
        {"kid": "k" * 129},
        {"kid": "a b"},
        {"kid": "clé"},
        {"crit": ["exp"]},
        {"crit": []},
        {"jwk": KEY.public_jwk},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"x5c": ["MII"]},
        {"b64": False},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_header_is_refused(changes: dict[str, Any]) -> None:
    """A header with these changes is malformed, although its signature holds."""
    assert refusal(with_header(**changes)) is Reason.MANDATE_MALFORMED


def test_unsigned_token_is_refused() -> None:
    """`alg: none` with an empty signature is malformed."""
    head, body = segment(b'{"alg":"none","typ":"at+jwt"}'), segment(b"{}")
    assert refusal(f"{head}.{body}.") is Reason.MANDATE_MALFORMED


@pytest.mark.parametrize("secret", public_forms(), ids=["pem", "der", "ssh", "point", "jwk"])
@pytest.mark.parametrize("alg", ["HS256", "ES256"])
def test_public_key_is_no_shared_secret(secret: bytes, alg: str) -> None:
    """An HMAC under the public key never passes, whatever the header calls it."""
    head = segment(json.dumps({**HEADER, "alg": alg}).encode())
    signing_input = f"{head}.{segment(json.dumps(CLAIMS).encode())}"
    digests = [hashlib.sha256, hashlib.sha512]
    macs = [hmac.new(secret, signing_input.encode(), digest).digest() for digest in digests]
    reasons = {refusal(f"{signing_input}.{segment(mac)}") for mac in macs}
    assert reasons <= {Reason.MANDATE_MALFORMED, Reason.MANDATE_SIGNATURE_INVALID}


def test_unknown_kid_is_refused() -> None:
    """A key that the set does not hold is unknown, and the refusal names it."""
    with pytest.raises(CaracalError) as caught:
        jws.verify(with_header(kid="key_other"), KEYS)
    assert caught.value.reason is Reason.KEY_UNKNOWN
    assert caught.value.metadata == {"kid": "key_other"}


def test_key_of_another_zone_is_unknown() -> None:
    """A token of one zone does not verify with the keys of another."""
    other = SigningKey.generate("key_of_another_zone")
    keys = KeySet([VerifyingKey.from_jwk(other.public_jwk)])
    assert refusal(TOKEN, keys) is Reason.KEY_UNKNOWN
    assert refusal(jws.sign(other, CLAIMS)) is Reason.KEY_UNKNOWN


def test_same_kid_with_another_key_is_refused() -> None:
    """A kid is no proof: the signature decides."""
    assert refusal(jws.sign(SigningKey.generate(KID), CLAIMS)) is Reason.MANDATE_SIGNATURE_INVALID


HEAD, BODY, SIGNATURE = TOKEN.split(".")


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b.c",
        "a.b.c.d.e",
        f"{HEAD}.{BODY}",
        f"{HEAD}.{BODY}.",
        f"{HEAD}..{SIGNATURE}",
        f".{BODY}.{SIGNATURE}",
        f".{TOKEN}",
        f"{TOKEN}.",
        f"{TOKEN}..",
        f"{HEAD}.{BODY}.{BODY}.{SIGNATURE}",
        TOKEN[:-1],
        TOKEN[:-4],
        TOKEN + "=",
        TOKEN + "==",
        TOKEN + "A",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace(".", "\u2024"),
        f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\u00e9",
        f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\ud800",
        f"{HEAD}.{BODY}.{SIGNATURE[:-1]}\0",
        f"{HEAD}.{BODY}.{segment(bytes(63))}",
        f"{HEAD}.{BODY}.{segment(bytes(65))}",
        "A" * 5_120,
        f"{HEAD}.{'A' * 5_120}.{SIGNATURE}",
        None,
        TOKEN.encode(),
    ],
)
def test_shape_is_refused(token: Any) -> None:
    """Whatever is not three canonical segments within the bound is malformed."""
    assert refusal(token) is Reason.MANDATE_MALFORMED


@pytest.mark.parametrize("alphabet", ["+/", "=-"])
def test_other_alphabet_is_refused(alphabet: str) -> None:
    """Characters of plain base64 are no second spelling of a signature."""
    token = f"{HEAD}.{BODY}.{alphabet[0] * 86}"
    assert refusal(token) is Reason.MANDATE_MALFORMED


@pytest.mark.parametrize("part", [0, 1, 2])
def test_second_spelling_is_refused(part: int) -> None:
    """A segment with trailing bits set decodes to the same bytes, and is malformed."""
    segments = [segment(b'{"alg":"ES256","kid":"%s","typ":"at+jwt"} ' % KID.encode()), BODY]
    while len(unsegment(segments[part % 2])) % 3 == 0:
        segments[part % 2] = segment(unsegment(segments[part % 2]) + b" ")
    segments = resigned(".".join(segments)).split(".")
    last = URL_SAFE_INDEX[segments[part][-1]]
    twin = [*segments]
    twin[part] = segments[part][:-1] + BASE64URL[last | 1]
    assert unsegment(twin[part]) == unsegment(segments[part])
    assert jws.verify(".".join(segments), KEYS)
    token = ".".join(twin) if part == 2 else resigned(".".join(twin[:2]))
    assert refusal(token) is Reason.MANDATE_MALFORMED


BASE64URL = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
URL_SAFE_INDEX = {char: index for index, char in enumerate(BASE64URL)}


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b" ",
        b"[]",
        b'"claims"',
        b"7",
        b"null",
        b"{",
        b'{"a":1,"a":2}',
        b'{"a":{"b":1,"b":1}}',
        b'{"exp":NaN}',
        b'{"exp":Infinity}',
        b'{"exp":-Infinity}',
        b'{"exp":1e999}',
        b'{"a":"\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"a":' + b"[" * 300 + b"]" * 300 + b"}",
        b'{"a":' * 300 + b"1" + b"}" * 300,
        b"[" * 2_900,
    ],
    ids=lambda payload: payload[:16].decode("latin-1"),
)
def test_signed_payload_is_refused(payload: bytes) -> None:
    """Even with a good signature the claims must be one object that can be read one way."""
    assert refusal(signed(HEADER, payload)) is Reason.MANDATE_MALFORMED


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{",
        b"\xff",
        b'{"alg":"none","alg":"ES256","kid":"%s","typ":"at+jwt"}' % KID.encode(),
        b'{"alg":"ES256","kid":"other","kid":"%s","typ":"at+jwt"}' % KID.encode(),
        b'{"a":' + b"[" * 2_500,
    ],
    ids=lambda header: header[:16].decode("latin-1"),
)
def test_odd_header_is_refused(header: bytes) -> None:
    """A header that is no object, repeats a name or nests without end is malformed."""
    assert refusal(signed(header, b"{}")) is Reason.MANDATE_MALFORMED


@pytest.mark.parametrize("raw", [bytes(64), b"\xff" * 64, b"\0" * 63 + b"\1"])
def test_degenerate_signature_is_refused(raw: bytes) -> None:
    """Zero, the maximum and other values outside the group never verify (CVE-2022-21449)."""
    assert refusal(f"{HEAD}.{BODY}.{segment(raw)}") is Reason.MANDATE_SIGNATURE_INVALID


def test_der_signature_is_refused() -> None:
    """A signature in DER, as other protocols carry it, is no ES256 signature."""
    assert refusal(f"{HEAD}.{BODY}.{segment(bytes([48, 69]) + bytes(69))}") is (
        Reason.MANDATE_MALFORMED
    )


def test_twin_signature_says_the_same() -> None:
    """ECDSA accepts (r, n - s) too, with the same claims: replay is told by jti, not by text."""
    raw = unsegment(SIGNATURE)
    twin = raw[:32] + (ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert jws.verify(f"{HEAD}.{BODY}.{segment(twin)}", KEYS) == CLAIMS


def test_mandate_over_the_budget_is_not_signed() -> None:
    """A token that no verifier would read is refused at the mint."""
    with pytest.raises(CaracalError) as caught:
        jws.sign(KEY, {"scope": "s" * 4_096})
    assert caught.value.reason is Reason.MANDATE_TOO_LARGE


def test_refusals_show_no_token() -> None:
    """No text of a refusal holds any part of the token."""
    for token in (TOKEN[:-1], jws.sign(SigningKey.generate(KID), CLAIMS), with_header(kid="other")):
        with pytest.raises(CaracalError) as caught:
            jws.verify(token, KEYS)
        assert not any(part and part in str(caught.value) for part in token.split("."))


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_one_changed_character_never_verifies(data: st.DataObject) -> None:
    """Any one character of a token replaced by any other: refused with one of three reasons."""
    index = data.draw(st.integers(0, len(TOKEN) - 1))
    char = data.draw(st.one_of(st.sampled_from(URL_SAFE + ".=+/ "), st.characters()))
    if char != TOKEN[index]:
        assert refusal(TOKEN[:index] + char + TOKEN[index + 1 :]) in (
            Reason.MANDATE_MALFORMED,
            Reason.KEY_UNKNOWN,
            Reason.MANDATE_SIGNATURE_INVALID,
        )


@given(st.one_of(st.text(), st.binary().map(lambda raw: f"{HEAD}.{segment(raw)}.{SIGNATURE}")))
@settings(deadline=None)
def test_any_text_is_refused_by_reason(token: str) -> None:
    """No text raises anything but the one exception."""
    assert refusal(token)


@given(st.binary(min_size=1, max_size=400))
@settings(deadline=None)
def test_any_signed_payload_is_claims_or_refused(payload: bytes) -> None:
    """No payload raises anything but the one exception, even under a good signature."""
    outcome: object
    try:
        outcome = jws.verify(signed(HEADER, payload), KEYS)
    except CaracalError as refused:
        outcome = refused.reason
    assert isinstance(outcome, dict) or outcome is Reason.MANDATE_MALFORMED
