"""A profile is private, complete and safe, or it is refused naming the setting."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.profile import PROFILE_VARIABLE, Profile

_SECRET = "a secret of 256 bits"
_VALUES: dict[str, Any] = {
    "authority": "caracal.example:7443",
    "zone": "shop",
    "issuer": "https://caracal.example/zones/shop",
    "application_id": "app_1",
    "client_secret": _SECRET,
}


def _refused(**values: Any) -> str:
    """The field that a profile with `values` is refused for."""
    with pytest.raises(CaracalError) as caught:
        Profile(**(_VALUES | values))
    assert caught.value.reason is Reason.FIELD_INVALID
    return caught.value.violations[0].field


@pytest.mark.parametrize("name", ["client_assertion_file", "client_key_file"])
def test_one_proof_and_no_other(name: str) -> None:
    """Nobody could say which counts."""
    assert _refused(**{name: "file"}) == name
    both = {"client_assertion_file": "token", "client_key_file": "key"}
    assert _refused(client_secret="", **both) == "client_key_file"
    assert Profile(**(_VALUES | {"client_secret": "", name: "file"}))


def test_client_certificate_is_proof_enough() -> None:
    """Without it nothing says who this is."""
    assert _refused(client_secret="") == "client_secret"
    pair = {"cert_file": "cert.pem", "key_file": "key.pem"}
    assert Profile(**(_VALUES | {"client_secret": "", **pair})).client_secret == ""
    assert Profile(**(_VALUES | pair)).client_secret == _SECRET


def test_files_of_proofs_are_beside_the_profile(tmp_path: Path) -> None:
    """As all files are that it names, and they are saved with it."""
    values = {key: value for key, value in _VALUES.items() if key != "client_secret"}
    for name in ("client_assertion_file", "client_key_file"):
        loaded = Profile.load(_written(tmp_path, values | {name: "proof"}))
        assert getattr(loaded, name) == str(tmp_path / "proof")
        loaded.save(tmp_path / "saved.json")
        assert Profile.load(tmp_path / "saved.json") == loaded


def _written(folder: Path, content: Any, mode: int = 0o600) -> Path:
    path = folder / "profile.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(mode)
    return path


def test_saved_profile_is_loaded_as_it_was(tmp_path: Path) -> None:
    """Save and load are inverse, and the file is its owner's alone."""
    profile = Profile(
        **_VALUES,
        application_name="orders",
        ca_file=str(tmp_path / "ca.pem"),
        cert_file=str(tmp_path / "cert.pem"),
        key_file=str(tmp_path / "key.pem"),
        server_name="caracal",
    )
    path = tmp_path / "profile.json"
    profile.save(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert Profile.load(path) == profile
    assert Profile.of(path) == profile
    assert Profile.of(profile) is profile


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_file_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """A secret that was open to others is a secret no more: the fix is in the text."""
    with pytest.raises(CaracalError, match="chmod 600"):
        Profile.load(_written(tmp_path, _VALUES, mode))


def test_secret_is_never_shown() -> None:
    """Neither the text of a profile nor of its refusal holds the secret."""
    assert _SECRET not in repr(Profile(**_VALUES))
    with pytest.raises(CaracalError) as caught:
        Profile(**(_VALUES | {"zone": ""}))
    assert _SECRET not in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "{", '{"zone": "a", "zone": "b"}', "null"])
def test_file_that_is_no_object_is_refused_by_name(tmp_path: Path, content: str) -> None:
    """The refusal names the file."""
    with pytest.raises(CaracalError) as caught:
        Profile.load(_written(tmp_path, content))
    assert "profile.json" in caught.value.violations[0].field


def test_unknown_key_is_refused(tmp_path: Path) -> None:
    """A typing error is no setting that silently does nothing."""
    with pytest.raises(CaracalError, match="ca_flie"):
        Profile.load(_written(tmp_path, _VALUES | {"ca_flie": "x"}))


@pytest.mark.parametrize("name", sorted(_VALUES))
def test_missing_key_is_refused(tmp_path: Path, name: str) -> None:
    """Each setting that is needed is asked for by name."""
    values = {key: value for key, value in _VALUES.items() if key != name}
    with pytest.raises(CaracalError, match=f"{name}.*is missing"):
        Profile.load(_written(tmp_path, values))


@pytest.mark.parametrize("name", ["zone", "issuer", "application_id", "client_secret"])
def test_empty_setting_is_refused(name: str) -> None:
    """Empty is missing."""
    assert _refused(**{name: ""}) == name


@pytest.mark.parametrize(
    ("name", "value"),
    [("zone", 7), ("client_secret", None), ("ca", 1), ("plaintext", "yes"), ("plaintext", 1)],
)
def test_setting_of_another_type_is_refused(name: str, value: Any) -> None:
    """JSON of the wrong kind is named."""
    assert _refused(**{name: value}) == name


@pytest.mark.parametrize("bad", ["\ud800", "a\udfffb", "a\nb", "\x00", "a\x7f", "\x85"])
@pytest.mark.parametrize(
    "name",
    [*sorted(_VALUES), "application_name", "ca_file", "ca", "key_file", "server_name"],
)
def test_setting_that_cannot_be_sent_is_refused(name: str, bad: str) -> None:
    """A lone surrogate or a control character is named here, not blamed on the authority later."""
    if (name, bad) != ("ca", "a\nb"):
        assert _refused(**{name: bad}) == name


def test_secret_that_cannot_be_sent_is_not_shown(tmp_path: Path) -> None:
    """JSON can spell half a character; the refusal names the file and the setting alone."""
    path = _written(tmp_path, _VALUES | {"client_secret": _SECRET + "\ud800"})
    with pytest.raises(CaracalError, match="client_secret") as caught:
        Profile.load(path)
    assert _SECRET not in str(caught.value)


def test_pem_has_lines() -> None:
    """Roots are given as text with line ends of either kind."""
    pem = "-----BEGIN CERTIFICATE-----\r\nAAAA\n-----END CERTIFICATE-----\n"
    assert Profile(**_VALUES, ca=pem).root_certificates() == pem.encode()


@pytest.mark.parametrize(
    "authority",
    ["", "caracal", "caracal:", ":7443", "caracal:0", "caracal:65536", "caracal:x", "::1:7443",
     "[caracal]:7443", "https://caracal:7443", "caracal:\uff17443", "caracal:" + "9" * 5_000],
)  # fmt: skip
def test_authority_that_is_no_host_and_port_is_refused(authority: str) -> None:
    """The address is `host:port`, nothing else."""
    assert _refused(authority=authority) == "authority"


@pytest.mark.parametrize(
    "target",
    ["dns:///caracal.example:7443", "ipv4:10.0.0.1:7443", "ipv4:10.0.0.1:7443,10.0.0.2:7443",
     "ipv6:[2001:db8::1]:7443,[2001:db8::2]:7443"],
)  # fmt: skip
def test_target_of_several_replicas_is_an_authority(target: str) -> None:
    """In the words of gRPC, which resolves it."""
    profile = Profile(**(_VALUES | {"authority": target}), server_name="caracal.example")
    assert profile.authority == target


@pytest.mark.parametrize(
    "target",
    ["dns:///", "dns:///caracal", "dns://8.8.8.8/caracal:7443", "dns:///a.example:1,b.example:2",
     "a.example:1,b.example:2", "ipv4:caracal:7443", "ipv4:10.0.0.1", "ipv4:10.0.0.1:7443,",
     "ipv4:10.0.0.1:1,[::1]:2", "ipv6:10.0.0.1:1", "ipv6:::1:7443", "unix:/tmp/caracal:1",
     "xds:///caracal:7443", "ipv4:" + ",".join(["10.0.0.1:7443"] * 33)],
)  # fmt: skip
def test_other_target_is_refused(target: str) -> None:
    """What gRPC would not resolve, or not as it reads."""
    assert _refused(authority=target, server_name="caracal.example") == "authority"


def test_several_addresses_need_a_name_to_check() -> None:
    """There is none to hold against the certificates; one address stands for itself."""
    assert _refused(authority="ipv4:10.0.0.1:7443,10.0.0.2:7443") == "server_name"
    assert Profile(**(_VALUES | {"authority": "ipv4:10.0.0.1:7443"})).server_name is None


def test_plaintext_to_several_is_to_loopback_alone() -> None:
    """One that is not is enough to be refused."""
    local, other = "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv4:127.0.0.1:1,10.0.0.1:2"
    assert Profile(**(_VALUES | {"authority": local}), plaintext=True).plaintext
    assert _refused(authority=other, plaintext=True) == "plaintext"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "[::1]", "localhost"])
def test_plaintext_to_loopback_is_allowed(host: str) -> None:
    """On loopback there is nobody to listen."""
    assert Profile(**(_VALUES | {"authority": f"{host}:7443"}), plaintext=True).plaintext


@pytest.mark.parametrize(
    "host",
    ["caracal.example", "10.0.0.1", "203.0.113.7", "[::]", "localhost.example", "[2001:db8::1]"],
)
def test_plaintext_elsewhere_is_refused(host: str) -> None:
    """A secret never crosses a network in the clear."""
    assert _refused(authority=f"{host}:7443", plaintext=True) == "plaintext"


@pytest.mark.parametrize("name", ["ca_file", "ca", "server_name"])
def test_plaintext_with_a_tls_setting_is_refused(name: str) -> None:
    """Who sets both meant one of them."""
    assert _refused(authority="localhost:7443", plaintext=True, **{name: "x"}) == "plaintext"


def test_half_a_client_certificate_is_refused() -> None:
    """A certificate needs its key, a key its certificate, and roots come from one place."""
    assert _refused(cert_file="cert.pem") == "key_file"
    assert _refused(key_file="key.pem") == "cert_file"
    assert _refused(ca="pem", ca_file="ca.pem") == "ca"


def test_files_are_relative_to_the_profile(tmp_path: Path) -> None:
    """A profile and its certificates can be moved together."""
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----")
    profile = Profile.load(_written(tmp_path, _VALUES | {"ca_file": "ca.pem"}))
    assert profile.root_certificates() == b"-----BEGIN CERTIFICATE-----"


def test_unreadable_or_foreign_file_is_refused(tmp_path: Path) -> None:
    """The refusal names the setting and the path."""
    missing = Profile(**_VALUES, ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(CaracalError, match=r"ca_file.*none\.pem"):
        missing.root_certificates()
    (tmp_path / "ca.der").write_bytes(b"\x30\x82")
    with pytest.raises(CaracalError, match="must hold PEM"):
        Profile(**_VALUES, ca_file=str(tmp_path / "ca.der")).root_certificates()


def test_environment_names_the_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service finds its profile by one variable, and is told when it is not set."""
    path = _written(tmp_path, _VALUES)
    assert Profile.from_environment({PROFILE_VARIABLE: str(path)}).zone == "shop"
    monkeypatch.setenv(PROFILE_VARIABLE, str(path))
    assert Profile.of(None).zone == "shop"
    monkeypatch.delenv(PROFILE_VARIABLE)
    with pytest.raises(CaracalError, match=PROFILE_VARIABLE):
        Profile.from_environment()
