"""What a process shows of itself: its secret, a token of others, an assertion, a certificate."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_FOREIGN_TOKEN
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url
from caracal_grpc.crypto.foreign_keys import ForeignKeys
from caracal_grpc.crypto.foreign_token import ForeignToken
from caracal_grpc.crypto.secret_file import write_secret_file
from caracal_grpc.interceptors.client.authentication import ASSERTION_LIFE, client_authentication
from caracal_grpc.interceptors.client.channel import Identity
from caracal_grpc.interceptors.profile import Profile
from tests.crypto.test_assertion_key import jwk, pem
from tests.support.etcd_tls import CertificateAuthority
from tests.support.foreign import ForeignSigner, jwks
from tests.support.tls import write_pair

ISSUER = "https://a.example/zones/shop"
SIGNER = ForeignSigner.generate("ES256", "mine")


def profile(**shown: Any) -> Profile:
    """A profile that shows this."""
    return Profile(
        authority="localhost:7420", zone="shop", issuer=ISSUER, application_id="app_1", **shown
    )


def replaced(path: Path, text: str) -> None:
    """Puts another file in its place, in one step, as the kubelet does."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def refused(shown: Profile) -> CaracalError:
    """Why nothing can be shown."""
    with pytest.raises(CaracalError) as caught:
        client_authentication(shown)
    assert caught.value.reason is Reason.FIELD_INVALID
    return caught.value


def test_secret() -> None:
    """As ever."""
    shown = client_authentication(profile(client_secret="s"))
    assert (shown.application_id, shown.client_secret) == ("app_1", "s")


def test_certificate_alone(tmp_path: Path) -> None:
    """Nothing but who it is: TLS shows the rest."""
    pair = write_pair(tmp_path, *CertificateAuthority().issue("web"))
    shown = client_authentication(profile(**pair))
    assert shown.WhichOneof("method") is None
    assert shown.application_id == "app_1"


def test_token_of_others_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """And the space around it is no part of it."""
    path = tmp_path / "token"
    path.write_text("a.b.c\n")
    known = profile(client_assertion_file=str(path))
    assert client_authentication(known).client_assertion == "a.b.c"
    replaced(path, "d.e.f")
    assert client_authentication(known).client_assertion == "d.e.f"
    path.unlink()
    assert "client_assertion_file" in str(refused(known))
    path.write_text("g.h.i")
    assert client_authentication(known).client_assertion == "g.h.i"


def test_token_behind_links_is_followed(tmp_path: Path) -> None:
    """Projected volumes change a link to a folder, and the file's name stays."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "token").write_text(f"{name}.b.c")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "token").symlink_to("..data/token")
    known = profile(client_assertion_file=str(tmp_path / "token"))
    assert client_authentication(known).client_assertion == "one.b.c"
    (tmp_path / "..tmp").symlink_to("two")
    (tmp_path / "..tmp").replace(tmp_path / "..data")
    assert client_authentication(known).client_assertion == "two.b.c"


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"a.b", b"a.b.c.d", b"\xff.b.c", "é.b.c".encode(), b"x" * 20_000]
)
def test_file_that_holds_no_token(tmp_path: Path, raw: bytes) -> None:
    """FIELD_INVALID naming it, and nothing of what it holds."""
    path = tmp_path / "token"
    path.write_bytes(raw)
    error = refused(profile(client_assertion_file=str(path)))
    assert error.violations[0].field == "client_assertion_file"
    assert str(path) in str(error)


def test_longest_token(tmp_path: Path) -> None:
    """As long as the authority takes one."""
    path = tmp_path / "token"
    path.write_text("a.b." + "x" * (MAX_FOREIGN_TOKEN - 4))
    assert client_authentication(profile(client_assertion_file=str(path))).client_assertion


@pytest.mark.parametrize("form", ["jwk", "pem"])
def test_own_key_signs_another_assertion_each_time(tmp_path: Path, form: str) -> None:
    """Of this application, for the zone's issuer alone, for a minute, to be used once."""
    path = tmp_path / "key"
    write_secret_file(path, (jwk(SIGNER) if form == "jwk" else pem(SIGNER.key)).decode())
    known = profile(client_key_file=str(path))
    tokens = [client_authentication(known).client_assertion for _ in range(2)]
    keys = ForeignKeys.from_jwks(jwks(SIGNER))
    claims = [ForeignToken.read(each).claims(keys, ["ES256"]) for each in tokens]
    for said in claims:
        assert (said["iss"], said["sub"], said["aud"]) == ("app_1", "app_1", ISSUER)
        assert said["exp"] - said["iat"] == ASSERTION_LIFE
    assert claims[0]["jti"] != claims[1]["jti"]
    assert set(claims[0]) == {"iss", "sub", "aud", "jti", "iat", "exp"}


def test_own_key_that_takes_anothers_place(tmp_path: Path) -> None:
    """Signs from the next exchange on."""
    path, fresh = tmp_path / "key", ForeignSigner.generate("ES256", "fresh")
    write_secret_file(path, jwk(SIGNER).decode())
    known = profile(client_key_file=str(path))
    client_authentication(known)
    write_secret_file(path, jwk(fresh).decode())
    assert ForeignToken.read(client_authentication(known).client_assertion).kid == "fresh"


def test_own_key_that_others_may_read(tmp_path: Path) -> None:
    """FIELD_INVALID with what to run."""
    path = tmp_path / "key"
    path.write_bytes(jwk(SIGNER))
    path.chmod(0o640)
    error = refused(profile(client_key_file=str(path)))
    assert error.violations[0].field == "client_key_file"
    assert "chmod 600" in str(error)


@pytest.mark.parametrize("text", ["", "{}", "-----BEGIN PRIVATE KEY-----", json.dumps(SIGNER.jwk)])
def test_file_that_holds_no_key(tmp_path: Path, text: str) -> None:
    """FIELD_INVALID naming it, also for a public one."""
    path = tmp_path / "key"
    write_secret_file(path, text)
    assert str(path) in str(refused(profile(client_key_file=str(path))))


def test_files_of_no_use_show_at_the_start(tmp_path: Path) -> None:
    """Not with the first exchange."""
    missing = str(tmp_path / "missing")
    for setting in ("client_assertion_file", "client_key_file"):
        with pytest.raises(CaracalError, match=setting):
            Identity.of(profile(**{setting: missing}))


def test_nothing_shown_is_printed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Neither key nor token, in a profile's text or a log."""
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "key"
    write_secret_file(path, jwk(SIGNER).decode())
    known = profile(client_key_file=str(path))
    token = client_authentication(known).client_assertion
    secret = SIGNER.key.private_numbers().private_value.to_bytes(32, "big")
    for text in (repr(known), caplog.text, str(os.environ)):
        assert token.rpartition(".")[2] not in text
        assert base64url.encode(secret) not in text
