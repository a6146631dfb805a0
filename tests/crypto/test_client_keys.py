"""The public keys of an application: all of use, none private, each with a name of its own."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from caracal_grpc.core.limits import MAX_CLIENT_JWKS, MAX_CLIENT_KEYS
from caracal_grpc.crypto.client_keys import client_keys
from tests.support.foreign import ALGORITHMS, ForeignSigner

SIGNERS = {each: ForeignSigner.generate(each, each) for each in ALGORITHMS}
EC = SIGNERS["ES256"].jwk
RSA = SIGNERS["RS256"].jwk


def text(*entries: Any) -> str:
    """A set with these entries."""
    return json.dumps({"keys": list(entries)})


def test_every_kind_of_key_is_read() -> None:
    """With what it says it is for, or whatever its kind can do."""
    keys = client_keys(text(*(each.jwk for each in SIGNERS.values())))
    assert all(keys.find(each, each) for each in ALGORITHMS)
    plain = {name: value for name, value in RSA.items() if name not in {"alg", "use"}}
    keys = client_keys(text(plain))
    assert [each for each in ALGORITHMS if keys.find(each, plain["kid"])] == ["RS256", "PS256"]


@pytest.mark.parametrize(
    ("jwks", "said"),
    [
        ("", "as JSON"),
        ("no json", "as JSON"),
        ("[]", "as JSON"),
        ("{}", "1 to 16 keys"),
        ('{"keys": []}', "1 to 16 keys"),
        ('{"keys": {}}', "1 to 16 keys"),
        ('{"keys": [], "keys": []}', "as JSON"),
        ("[" * 5_000, "as JSON"),
        (text(*({**EC, "kid": str(i)} for i in range(MAX_CLIENT_KEYS + 1))), "1 to 16 keys"),
        (text(EC) + " " * MAX_CLIENT_JWKS, "at most 16384 characters"),
        (text("key"), "keys[0] is no object"),
        (text(EC, EC), "two keys have one kid"),
        (text({**EC, "kid": ""}), "keys[0] has no kid"),
        (text({name: each for name, each in EC.items() if name != "kid"}), "has no kid"),
        (text({**EC, "kid": 7}), "has no kid"),
        (text({**EC, "kid": "a b"}), "has no kid"),
        (text({**EC, "kid": ["a"]}), "has no kid"),
        (text(EC, {**EC, "kid": "2", "d": "c2VjcmV0"}), "keys[1] is private"),
        *((text({**RSA, each: "AQ"}), "is private") for each in ("p", "q", "dp", "dq", "qi")),
        (text({**RSA, "oth": []}), "is private"),
        (text({"kty": "oct", "kid": "a", "k": "c2VjcmV0"}), "is private"),
        (text({"kty": "oct", "kid": "a"}), "is private"),
        (text({**EC, "crv": "P-384"}), "is no public key that signs"),
        (text({**EC, "x": EC["y"], "y": EC["x"]}), "is no public key that signs"),
        (text({**EC, "use": "enc"}), "is no public key that signs"),
        (text({**EC, "key_ops": ["sign"]}), "is no public key that signs"),
        (text({**EC, "alg": "RS256"}), "has an alg that does not fit"),
        (text({**EC, "alg": "none"}), "has an alg that does not fit"),
        (text({**RSA, "alg": "RS512"}), "has an alg that does not fit"),
    ],
)
def test_odd_set_is_refused(jwks: str, said: str) -> None:
    """It is told which key is wrong, and nothing of a key."""
    with pytest.raises(ValueError, match=re.escape(said)) as caught:
        client_keys(jwks)
    assert "c2VjcmV0" not in str(caught.value)
