"""Policies, honest and hostile."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from caracal_grpc.policy.bundle import Bundle
from tests.policy.documents import document

HEAD = "package caracal.authz\n\n"
NUMBERS = list(range(400))

HONEST = """default result := {"decision": "deny"}

result := {"decision": "allow", "scopes": input.requested_scopes} if input.zone == "acme"
"""
SLOW = """default result := {"decision": "deny"}

result := {"decision": "allow"} if {
	some a in input.context.n
	some b in input.context.n
	some c in input.context.n
	some d in input.context.n
	a + b + c + d == -1
}
"""
"""Denies at once when the context has no numbers."""
GREEDY = """default result := {"decision": "deny"}

result := {"decision": "allow", "reasons": [sprintf("%d", [count(all)])]} if {
	all := [long |
		some a in input.context.n
		some b in input.context.n
		text := input.context.text
		long := concat(sprintf("%d", [a]), [text, text, sprintf("%d", [b])])
	]
}
"""
DOUBLING = (
    'default result := {"decision": "deny"}\n\n'
    'result := {"decision": "allow", "reasons": [s30]}\n\ns0 := input.context.text\n\n'
    + "".join(f's{n} := concat("", [s{n - 1}, s{n - 1}])\n\n' for n in range(1, 31))
)
PARTIAL = """default result := {"decision": "deny"}

all contains [a, b, c] if {
	some a in input.context.n
	some b in input.context.n
	some c in input.context.n
}

result := {"decision": "allow"} if count(all) > 0
"""
HUGE = """default result := {"decision": "deny"}

result := {"decision": "allow", "reasons": texts} if {
	texts := [text | some n in input.context.n; text := input.context.text]
}
"""


def bundle(source: str, data: Mapping[str, Any] | None = None) -> Bundle:
    """A policy of one module."""
    return Bundle.of({"a.rego": HEAD + source}, data or {})


def question(**context: Any) -> str:
    """A request of `shop` with that context."""
    return json.dumps(document(context=context))


def loaded(**context: Any) -> str:
    """A request whose context makes the hostile policies run wild."""
    return question(n=NUMBERS, text="x" * 4_000, **context)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            status = (entry / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if status[0] != "Z" and int(status[1]) == os.getpid():
            found.add(int(entry.name))
    return found
