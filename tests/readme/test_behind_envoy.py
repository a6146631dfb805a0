"""The ten minutes of the README behind an Envoy, pasted step by step."""

from __future__ import annotations

import json

from tests.examples.ports import Ports
from tests.readme.desk import APPLY, WAIT, Desk
from tests.readme.text import README, ROOT, block, blocks

CHAPTER = README.partition("## Behind Envoy")[2].partition("\n## ")[0]
STEPS = [code for code in blocks("sh") if code in CHAPTER]
MESH = block("sh", "caracal-grpc mesh serve mesh.yaml")
BARE = block("sh", "python bare.py")
ENVOY = block("sh", "sidecar.yaml")
CALLS = block("sh", "curl -s")

ONCE = "for _ in $(seq 200); do [[ $({}) == *{}* ]] && break; sleep 0.1; done\n"
END = "kill $(jobs -p)\nwait\n"


def test_every_step_is_pasted() -> None:
    """None of the chapter is left out here."""
    assert STEPS == [MESH, BARE, ENVOY, CALLS]


def test_calls_pass_when_granted(newcomer: Desk, ports: Ports) -> None:
    """To a service with no code of ours; nothing passes without a mandate."""
    client = CALLS.splitlines()[-1]
    begun = ONCE.format(client, "hello")
    listening = WAIT.format(ports["7440"])
    said = newcomer.paste(
        APPLY, MESH, BARE, listening, ports.moved(ENVOY), begun, ports.moved(CALLS), END
    )
    caller = json.loads((newcomer.profiles / "hello-caller.json").read_text())["application_id"]
    assert '"reason":"MANDATE_MISSING"' in said
    assert f"hello world, from {caller}" in said
    assert "refused: POLICY_DENIED" in said


def test_shown_code_reads_what_the_proxy_sets() -> None:
    """As the service that runs here does, of which the chapter says that it does."""
    served = (ROOT / "examples" / "greeter" / "bare.py").read_text()
    code = block("go", "metadata.FromIncomingContext(ctx)")
    assert code in CHAPTER
    assert "the lines in Go are shown, and nothing compiles them" in CHAPTER
    assert '"x-caracal-application"' in code
    assert '"x-caracal-application"' in served
