"""The demo, run as its user runs it."""

from __future__ import annotations

import io
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import pytest

from caracal_grpc.cli.audit.ledger_file import write_ledger
from caracal_grpc.cli.demo import record, run
from caracal_grpc.cli.demo.denied import denied
from caracal_grpc.cli.demo.flow import Answer, Flow, failed
from caracal_grpc.cli.demo.revoked import measured
from caracal_grpc.cli.demo.stage import Stage, staged
from caracal_grpc.cli.main import guarded
from caracal_grpc.v1 import zone_pb2, zone_service_pb2, zone_service_pb2_grpc
from tests.examples.processes import CLI, Run, line

KEYS = {"details", "name", "ok", "grpc_code", "reason", "audit_ids", "elapsed_ms"}
UNAVAILABLE, FAULT, INTERRUPTED = 5, 7, 130


def _until(process: subprocess.Popen[str], heading: str) -> None:
    while not line(process).startswith(heading):
        pass


@dataclass(frozen=True)
class Shown:
    """What a whole demo said, for programs and for people, and what it left behind."""

    flows: dict[str, dict[str, Any]]
    ledger: dict[str, Any]
    keys: set[str]
    story: str
    alive: list[str]
    files: list[Path]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """One demo for programs and one for people, at the same time; both succeed."""
    runs = Run(tmp_path_factory.mktemp("demo"))
    # A proxy in the environment must not come between processes of one machine.
    proxy = {"http_proxy": "http://127.0.0.1:9"}
    started = [runs.start(*CLI, "demo", "--json", **proxy), runs.start(*CLI, "demo")]
    said = [process.communicate(timeout=90) for process in started]
    assert [(each.returncode, errors) for each, (_, errors) in zip(started, said, strict=True)] == [
        (0, ""),
        (0, ""),
    ]
    (line_of_json, _), (story, _) = said
    assert len(line_of_json.splitlines()) == 1
    value = json.loads(line_of_json)
    flows = {flow["name"]: flow for flow in value["flows"]}
    yield Shown(
        flows, value["ledger"], set(value), story, runs.alive(), list(runs.temporary.iterdir())
    )
    runs.end()


def test_the_demo_prints_every_flow_with_the_documented_keys(shown: Shown) -> None:
    """Programs find what the documentation names, and nothing else."""
    assert list(shown.flows) == [
        "success",
        "denied",
        "step_up",
        "delegated",
        "revoked",
        "rotated",
    ]
    assert shown.keys == {"flows", "ledger"}
    assert all(set(flow) == KEYS for flow in shown.flows.values())
    assert all(flow["elapsed_ms"] > 0 for flow in shown.flows.values())


def test_every_flow_behaves(shown: Shown) -> None:
    """Each ends as it should, with the code and the reason that it is about."""
    outcome = {
        name: (flow["ok"], flow["grpc_code"], flow["reason"]) for name, flow in shown.flows.items()
    }
    assert outcome == {
        "success": (True, "OK", ""),
        "denied": (True, "PERMISSION_DENIED", "POLICY_DENIED"),
        "step_up": (True, "FAILED_PRECONDITION", "STEP_UP_REQUIRED"),
        "delegated": (True, "UNAUTHENTICATED", "MANDATE_REVOKED"),
        "revoked": (True, "UNAUTHENTICATED", "MANDATE_REVOKED"),
        "rotated": (True, "OK", ""),
    }


def test_the_flows_tell_what_only_they_measured(shown: Shown) -> None:
    """Subject and actor, the guard's refusal, the time of the cut, the keys and the calls."""
    success, refused, held, handed, cut, rotated = (
        flow["details"] for flow in shown.flows.values()
    )
    assert held["approval"].startswith("apr_")
    assert held["second_use"]["reason"] == "APPROVAL_CONSUMED"
    assert handed["widened"]["reason"] == "CEILING_EXCEEDED"
    assert handed["beside"] == "OK"
    assert (success["subject"], success["actor"]) == ("agent", "orders")
    assert refused["guard"] == {"grpc_code": "PERMISSION_DENIED", "reason": "SCOPE_INSUFFICIENT"}
    assert cut["acknowledged_to_cut_ms"] >= 0
    assert 0 < cut["sent_to_cut_ms"] < shown.flows["revoked"]["elapsed_ms"]
    assert (rotated["refused"], rotated["calls"] > 0) == (0, True)
    assert rotated["old_key"] != rotated["new_key"]


def test_each_decision_of_the_demo_is_in_a_ledger_that_verifies(shown: Shown) -> None:
    """No flow is without its entries, and no entry is named twice."""
    ids = [each for flow in shown.flows.values() for each in flow["audit_ids"]]
    assert all(flow["audit_ids"] for flow in shown.flows.values())
    assert len(ids) == len(set(ids))
    assert all(each.startswith("aud_") for each in ids)
    assert shown.ledger["verified"]
    assert shown.ledger["entries"] > len(ids)
    assert re.fullmatch("[0-9a-f]{64}", shown.ledger["root"])


def test_the_demo_tells_people_what_happens_and_why(shown: Shown) -> None:
    """Each flow has its heading, each expectation its tick, each decision its tree."""
    headings = [each for each in shown.story.splitlines() if re.match(r"\d\. ", each)]
    assert len(headings) == 7
    assert (shown.story.count("✓"), shown.story.count("✗")) == (24, 0)
    assert "agent asked for payments:refund on resource://payments" in shown.story
    assert "refused: POLICY_DENIED" in shown.story
    cut = r"MANDATE_REVOKED, (before|[0-9.]+ ms after) the acknowledgement, [0-9.]+ ms after the"
    assert re.search(cut, shown.story)
    assert "Everything behaved" in shown.story


def test_the_demo_leaves_nothing_behind(shown: Shown) -> None:
    """No process, and no file."""
    assert (shown.alive, shown.files) == ([], [])


def test_the_demo_cleans_up_when_it_is_told_to_stop(examples: Run) -> None:
    """SIGTERM in the middle of the traffic leaves no process and no file."""
    process = examples.start(*CLI, "demo")
    _until(process, "6. ")
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (INTERRUPTED, "caracal-grpc: interrupted\n")
    assert examples.alive() == []
    assert list(examples.temporary.iterdir()) == []


def test_nothing_outlives_a_demo_that_is_killed(examples: Run) -> None:
    """Neither the etcd nor the services go on without it."""
    process = examples.start(*CLI, "demo")
    _until(process, "6. ")
    assert len(examples.alive()) == 4
    process.kill()
    process.communicate()
    assert examples.soon_nothing_alive()


def test_the_demo_says_on_one_line_that_it_cannot_start(examples: Run) -> None:
    """With an etcd on PATH that does not run there is no JSON, no traceback, and nothing left."""
    broken = examples.folder / "bin" / "etcd"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho no such luck\nexit 1\n")
    broken.chmod(0o755)
    process = examples.start(*CLI, "demo", "--json", PATH=f"{broken.parent}:/bin:/usr/bin")
    out, errors = process.communicate(timeout=30)
    text = "the private etcd does not start; the last that it said: no such luck"
    assert (process.returncode, out, errors) == (UNAVAILABLE, "", f"caracal-grpc: {text}\n")
    assert list(examples.temporary.iterdir()) == []


async def test_a_flow_that_does_not_behave_is_found_out(tmp_path: Path) -> None:
    """With a refund granted after all, `denied` is no longer what it should be."""
    async with staged(tmp_path) as stage:
        stub = zone_service_pb2_grpc.ZoneServiceStub(stage.operator)
        read = await stub.Get(zone_service_pb2.ZoneServiceGetRequest(zone=stage.zone))
        grant = zone_pb2.Grant(
            application="agent", resource="resource://payments", scopes=["payments:refund"]
        )
        read.zone.policy.grants.append(grant)
        await stub.Apply(zone_service_pb2.ZoneServiceApplyRequest(zone=read.zone))
        flow = Flow("denied")
        await denied(stage, flow)
    assert not flow.ok
    assert failed([flow]) == ["denied: a refund, which policy grants to nobody: OK"]
    assert [check.holds for check in flow.checks] == [False, True]


def test_a_cut_before_the_acknowledgement_counts_as_none_after_it() -> None:
    """No time is negative, and that since the revocation was sent is beside it."""
    before, after = measured(5.0, 5.004, 5.003), measured(5.0, 5.004, 5.006)
    assert before == {"acknowledged_to_cut_ms": 0, "sent_to_cut_ms": 3}
    assert after == {"acknowledged_to_cut_ms": 2, "sent_to_cut_ms": 6}


async def _misbehaving(stage: Stage, flow: Flow) -> None:
    flow.expect("tea is free", False)


async def _behaving(stage: Stage, flow: Flow) -> None:
    flow.expect("tea is tea", True)


_misbehaving.__name__ = _behaving.__name__ = "success"


async def _without_the_last(stub: Any, zone: str, out: TextIO) -> Any:
    """Exports a ledger whose last entry somebody has cut off."""
    whole = io.StringIO()
    checkpoint = await write_ledger(stub, zone, whole)
    out.writelines(whole.getvalue().splitlines(keepends=True)[:-1])
    return checkpoint


@pytest.mark.parametrize(
    ("show", "export", "wrong"),
    [
        (_misbehaving, write_ledger, "success: tea is free"),
        (_behaving, _without_the_last, "the ledger does not verify"),
    ],
)
def test_the_demo_fails_when_something_does_not_behave(
    show: Any, export: Any, wrong: str, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    """It still prints its JSON, names what went wrong, and ends with the documented code."""
    monkeypatch.setenv("no_grpc_proxy", "127.0.0.1")
    monkeypatch.setattr(run, "_FLOWS", (show,))
    monkeypatch.setattr(record, "write_ledger", export)
    code = guarded(lambda: run.run(True) or 0)
    out, errors = capfd.readouterr()
    assert (code, errors) == (FAULT, f"caracal-grpc: {wrong}\n")
    (flow,) = json.loads(out)["flows"]
    assert (flow["name"], flow["ok"]) == ("success", show is _behaving)


def test_a_flow_that_shows_nothing_does_not_count_as_behaving() -> None:
    """To be silent is to fail."""
    assert failed([Flow("success")]) == ["success: it showed nothing"]


def test_what_a_refusal_said_is_told() -> None:
    """Nobody has to search a log for why a flow did not behave."""
    flow = Flow("success")
    flow.ended(Answer("FAILED_PRECONDITION", "", 0.0, said="the payment failed: no money"))
    flow.expect("the agent's order was placed", False)
    assert failed([flow]) == ["success: the agent's order was placed: the payment failed: no money"]
