"""The configurations that are shipped, as they are."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.envoy import EXAMPLES, Configuration, require_envoy
from tests.support.etcd_tls import CertificateAuthority
from tests.support.tls import write_tls

NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml"))
ASKING = sorted(set(NAMES) - {"jwt_authn.yaml"})
"""Those that ask about every request."""


def files_of(value: Any) -> list[dict[str, Any]]:
    """Every mapping that names a file that has to be there."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict) and "filename" in value else []
    return own + [found for each in inner for found in files_of(each)]


@pytest.mark.parametrize("name", NAMES)
async def test_envoy_takes_it(name: str, tmp_path: Path, etcd_ca: CertificateAuthority) -> None:
    """But for the files of the machine that it is for."""
    tls = write_tls(tmp_path, etcd_ca, "any")
    made = Configuration(name)
    for mapping in files_of(made.value):
        mapping["filename"] = str(tls.key if "key" in mapping["filename"] else tls.certificate)
    config = made.write(tmp_path)
    process = await asyncio.create_subprocess_exec(
        *(str(require_envoy()), "--mode", "validate", "-c", str(config)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()


@pytest.mark.parametrize("name", ASKING)
def test_it_fails_closed(name: str) -> None:
    """Whoever copies it refuses what cannot be asked about, and says so as an outage."""
    asking = Configuration(name).all("ExtAuthz")
    assert asking
    for each in asking:
        assert each["failure_mode_allow"] is False
        assert each["status_on_error"] == {"code": "ServiceUnavailable"}
        assert each["clear_route_cache"] is False
        assert each["validate_mutations"] is True
        assert each["encode_raw_headers"] is True
        assert "retry_policy" not in each["grpc_service"]["envoy_grpc"]
        assert "allowed_headers" not in each


@pytest.mark.parametrize("name", ASKING)
def test_an_answer_has_the_time_that_it_is_given(name: str) -> None:
    """Envoy ends each try after `max_interval`, whatever the timeout is, and then asks again."""
    for each in Configuration(name).all("ExtAuthz"):
        asking = each["grpc_service"]
        assert asking["retry_policy"]["retry_back_off"]["max_interval"] == asking["timeout"]


@pytest.mark.parametrize("name", ASKING)
def test_no_route_goes_around_it(name: str) -> None:
    """Nothing is disabled for any of them, and paths mean one thing."""
    for manager in Configuration(name).all("HttpConnectionManager"):
        assert "disabled" not in str(manager["route_config"])
        assert manager["normalize_path"] is True
        assert manager["merge_slashes"] is True
        assert manager["strip_any_host_port"] is True
        assert manager["strip_trailing_host_dot"] is True
        assert manager["path_with_escaped_slashes_action"] == "REJECT_REQUEST"


@pytest.mark.parametrize("name", NAMES)
def test_its_administration_is_on_loopback(name: str) -> None:
    """It prints what nobody else may see."""
    shipped = yaml.safe_load((EXAMPLES / name).read_text())
    assert shipped["admin"]["address"]["socket_address"]["address"] == "127.0.0.1"
