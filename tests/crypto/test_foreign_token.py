"""Tokens of other issuers: known attacks fail, each for its own reason."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_FOREIGN_TOKEN
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.crypto.foreign_token import ForeignToken
from tests.support.foreign import ALGORITHMS, ForeignSigner, compact, jwks
from tests.support.refusals import refused

CLAIMS: dict[str, Any] = {"iss": "https://idp.example", "sub": "alice"}
SIGNERS = {each: ForeignSigner.generate(each) for each in ALGORITHMS}
RSA, EC = SIGNERS["RS256"], SIGNERS["ES256"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(ALGORITHMS),
    lambda inner: st.lists(inner, max_size=2),
    max_leaves=4,
)


def claims(token: str, *signers: ForeignSigner, algorithms: tuple[str, ...] = ALGORITHMS) -> Any:
    """What the token says, by the keys of `signers`."""
    keys = ForeignKeys.from_jwks(jwks(*signers))
    return ForeignToken.read(token).claims(keys, algorithms)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_good_token_is_read(algorithm: str) -> None:
    """Of each algorithm, with its kid or without."""
    signer = SIGNERS[algorithm]
    assert claims(signer.token(CLAIMS), signer) == CLAIMS
    assert claims(signer.token(CLAIMS, kid=None, typ=None), signer) == CLAIMS


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_changed_token_is_refused(algorithm: str) -> None:
    """Another claim, another header, another signature: none is what was signed."""
    signer = SIGNERS[algorithm]
    header, body, signature = signer.token(CLAIMS).split(".")
    other = compact(b"", {**CLAIMS, "sub": "eve"}).split(".")[1]
    swapped = base64url.encode(base64url.decode(signature)[::-1])
    for token in (f"{header}.{other}.{signature}", f"{header}.{body}.{swapped}"):
        with refused(Reason.MANDATE_SIGNATURE_INVALID):
            claims(token, signer)
    renamed = compact({"alg": algorithm}, b"").split(".")[0]
    with refused(Reason.MANDATE_SIGNATURE_INVALID):
        claims(f"{renamed}.{body}.{signature}", signer)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_signature_of_no_bytes_is_refused(algorithm: str) -> None:
    """Nor one that is too long, or of zeroes (CVE-2022-21449)."""
    signer = SIGNERS[algorithm]
    signed = signer.token(CLAIMS).rpartition(".")[0]
    for signature in (b"", b"\0" * 64, b"\0" * 256, b"\xff" * 1024):
        with refused(Reason.MANDATE_SIGNATURE_INVALID):
            claims(f"{signed}.{base64url.encode(signature)}", signer)


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "nOnE", ""])
def test_unsigned_token_is_refused(algorithm: str) -> None:
    """However `none` is written (RFC 8725 section 3.2), even if somebody declared it."""
    token = compact({"alg": algorithm}, CLAIMS) + "."
    with refused(Reason.MANDATE_MALFORMED):
        claims(token, RSA)
    with refused(Reason.KEY_UNKNOWN):
        claims(token, RSA, algorithms=(algorithm,))


def test_public_key_is_no_secret() -> None:
    """HS256 with the public key, in any of its forms, as the secret (CVE-2016-10555)."""
    public = RSA.key.public_key()
    forms = [
        public.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
        for encoding in (Encoding.PEM, Encoding.DER)
    ]
    forms += [json.dumps(RSA.jwk).encode(), base64url.decode(RSA.jwk["n"])]
    signed = compact({"alg": "HS256", "kid": RSA.kid}, CLAIMS)
    for secret in forms:
        mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
        token = f"{signed}.{base64url.encode(mac)}"
        with refused(Reason.MANDATE_MALFORMED):
            claims(token, RSA)
        with refused(Reason.KEY_UNKNOWN):
            claims(token, RSA, algorithms=("HS256",))


def test_algorithm_is_one_that_was_declared() -> None:
    """A good token of the issuer's own key, by an algorithm that it does not sign with."""
    token = SIGNERS["PS256"].token(CLAIMS)
    with refused(Reason.MANDATE_MALFORMED):
        claims(token, SIGNERS["PS256"], algorithms=("RS256", "ES256"))


@pytest.mark.parametrize("claimed", ALGORITHMS)
@pytest.mark.parametrize("actual", ALGORITHMS)
def test_algorithm_is_that_of_the_key(claimed: str, actual: str) -> None:
    """A token cannot choose how the key that it names is used."""
    signer = SIGNERS[actual]
    token = signer.token(CLAIMS, alg=claimed)
    if claimed == actual:
        assert claims(token, signer) == CLAIMS
    else:
        with refused(Reason.KEY_UNKNOWN):
            claims(token, signer)


def test_other_curve_is_refused() -> None:
    """A signature of P-384 or secp256k1 is none of ES256, whatever the key is called."""
    for curve in (ec.SECP384R1(), ec.SECP256K1()):
        signer = ForeignSigner("ES256", "k1", ec.generate_private_key(curve))
        header, body, _ = EC.token(CLAIMS).split(".")
        token = f"{header}.{body}.{base64url.encode(b'1' * 64)}"
        with refused(Reason.KEY_UNKNOWN):
            claims(token, signer)


def test_kid_names_the_key() -> None:
    """A good signature under the name of another key of the set is refused."""
    other = ForeignSigner.generate("ES256", "k2")
    assert claims(other.token(CLAIMS), EC, other) == CLAIMS
    with refused(Reason.MANDATE_SIGNATURE_INVALID):
        claims(other.token(CLAIMS, kid=EC.kid), EC, other)
    with refused(Reason.KEY_UNKNOWN):
        claims(other.token(CLAIMS), EC)
    with refused(Reason.KEY_UNKNOWN):
        claims(other.token(CLAIMS, kid=None), EC, other)


@pytest.mark.parametrize("kid", [7, None, [], {}, "a b", "k" * 129, "\x00", "../../etc/passwd\n"])
def test_odd_kid_is_refused(kid: Any) -> None:
    """It is a name to compare and nothing else."""
    with refused(Reason.MANDATE_MALFORMED):
        claims(_signed({"alg": "ES256", "kid": kid}), EC)


def test_key_in_the_token_is_ignored() -> None:
    """Who is to be checked does not say by what (RFC 8725 section 3.10)."""
    eve = ForeignSigner.generate("ES256")
    brought = {"jwk": eve.jwk, "jku": "https://eve.example/keys", "x5u": "https://eve.example/x"}
    brought |= {"x5c": ["MIIB"], "x5t": "AAAA"}
    with refused(Reason.MANDATE_SIGNATURE_INVALID):
        claims(eve.token(CLAIMS, **brought), EC)
    assert claims(EC.token(CLAIMS, **brought), EC) == CLAIMS


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "exp", None])
def test_extension_is_refused(crit: Any) -> None:
    """What must be understood is not (RFC 7515 section 4.1.11)."""
    with refused(Reason.MANDATE_MALFORMED):
        claims(_signed({"alg": "ES256", "kid": EC.kid, "crit": crit}), EC)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "logout+jwt", "secevent+jwt", 7])
def test_token_for_something_else_is_refused(typ: Any) -> None:
    """An access token of the same issuer is no ID token (RFC 8725 section 3.11)."""
    with refused(Reason.MANDATE_MALFORMED):
        claims(EC.token(CLAIMS, typ=typ), EC)
    assert claims(EC.token(CLAIMS, typ="jwt"), EC) == CLAIMS


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b'{"alg":"none","alg":"ES256","kid":"k1"}', b"{}"),
        (b'{"alg":"ES256","kid":"k1"}', b'{"sub":"alice","sub":"eve"}'),
        (b'{"alg":"ES256","kid":"k1"}', b'{"exp":NaN}'),
        (b'{"alg":"ES256","kid":"k1"}', b'{"exp":1e999}'),
        (b'{"alg":"ES256","kid":"k1"}', b"[]"),
        (b'{"alg":"ES256","kid":"k1"}', b'"alice"'),
        (b'{"alg":"ES256","kid":"k1"}', b'{"sub":"\xff"}'),
        (b'{"alg":"ES256","kid":"k1"}', b"[" * 300),
        (b'{"alg":["ES256"],"kid":"k1"}', b"{}"),
        (b'{"kid":"k1"}', b"{}"),
        (b"", b"{}"),
    ],
)
def test_json_has_one_reading(header: bytes, body: bytes) -> None:
    """What two readers could take for two things is refused, though the key has signed it."""
    with refused(Reason.MANDATE_MALFORMED):
        claims(_signed(header, body), EC)


def test_text_has_one_shape() -> None:
    """Three segments of base64url, of bounded size."""
    good = EC.token(CLAIMS)
    head, body, signature = good.split(".")
    shapes = [
        "",
        ".",
        "..",
        head,
        f"{head}.{body}",
        f"{good}.",
        f".{good}",
        f"{good}.{signature}.x",
        f"{head}..{signature}",
        f"{good}=",
        f" {good}",
        f"{good}\n",
        good.replace(".", ". ", 1),
        f"{good}é",
        "x" * (MAX_FOREIGN_TOKEN + 1),
    ]
    for shape in shapes:
        with refused(Reason.MANDATE_MALFORMED):
            claims(shape, EC)
    large = EC.token({**CLAIMS, "pad": "x" * 11_000})
    assert len(large) < MAX_FOREIGN_TOKEN
    assert claims(large, EC)["sub"] == "alice"
    with refused(Reason.MANDATE_MALFORMED):
        claims(EC.token({**CLAIMS, "pad": "x" * MAX_FOREIGN_TOKEN}), EC)


@given(
    text=st.one_of(st.text(max_size=60), st.from_regex(r"[A-Za-z0-9_.=-]{0,80}", fullmatch=True))
)
def test_any_text_is_refused_as_a_token(text: str) -> None:
    """By the one exception that crosses rooms, whatever it is."""
    with refused(Reason.MANDATE_MALFORMED):
        claims(text, EC)


@given(
    header=st.dictionaries(st.sampled_from(["alg", "kid", "typ", "x"]), JSON, max_size=4),
    body=st.dictionaries(st.text(max_size=3), JSON, max_size=3),
)
def test_any_header_is_read_or_refused(header: dict[str, Any], body: dict[str, Any]) -> None:
    """A token of ours that is not signed for what it says is never believed."""
    signed = compact(header, body)
    with pytest.raises(CaracalError):
        claims(f"{signed}.{base64url.encode(b'1' * 64)}", EC, RSA)


def test_token_shows_nothing_of_itself() -> None:
    """Neither in its text for a log nor in a refusal."""
    token = EC.token({**CLAIMS, "email": "alice@example.com"})
    read = ForeignToken.read(token)
    assert "alice" not in repr(read)
    with refused(Reason.KEY_UNKNOWN) as seen:
        read.claims(ForeignKeys(), ALGORITHMS)
    assert "alice" not in str(seen.error)


def _signed(header: dict[str, Any] | bytes, body: dict[str, Any] | bytes = CLAIMS) -> str:
    signed = compact(header, body)
    return f"{signed}.{base64url.encode(EC.signature(signed.encode()))}"


def test_types_are_those_that_are_expected() -> None:
    """In whatever case; what else a header holds is known by its names."""
    token = EC.token(CLAIMS, typ="Client-Authentication+JWT", x5t="x", jwk={})
    with refused(Reason.MANDATE_MALFORMED):
        ForeignToken.read(token)
    read = ForeignToken.read(token, {"client-authentication+jwt"})
    assert (read.typ, read.extra) == ("client-authentication+jwt", {"x5t", "jwk"})
    with refused(Reason.MANDATE_MALFORMED):
        ForeignToken.read(EC.token(CLAIMS), {"client-authentication+jwt"})
