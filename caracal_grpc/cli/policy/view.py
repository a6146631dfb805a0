"""How `policy` shows answers, differences and versions to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

VERSIONS: Final = ("version", "made", "by", "grants", "modules", "", "description")
DIFFERENCES: Final = ("time", "entry", "application", "resource", "asked for", "was", "now")
RULES: Final = ("module", "line", "rule", "value")
FINDINGS: Final = ("severity", "place", "text")
REPLICAS: Final = ("replica", "version", "load", "since", "detail")
ACTIVATIONS: Final = ("activated", "version", "by")


def version_row(version: Mapping[str, Any]) -> list[Any]:
    """A row of `VERSIONS`."""
    uses = [name for name in ("active", "shadow") if version[name]]
    made = [version[name] for name in ("version", "create_time", "created_by", "grants")]
    return [*made, version["modules"], uses, version["description"]]


def difference_row(found: Mapping[str, Any]) -> list[Any]:
    """A row of `DIFFERENCES`."""
    return [
        found["time"],
        found["audit_id"],
        found["application_name"] or found["application_id"],
        found["resource"],
        found["requested_scopes"] or "all",
        answer_text(found["was"]),
        answer_text(found["now"]),
    ]


def answer_text(answer: Mapping[str, Any]) -> str:
    """An answer in a line."""
    said = [answer["decision"], *answer["scopes"]]
    if answer["ttl_seconds"]:
        said.append(f"at most {answer['ttl_seconds']} s")
    return " ".join([*said, *([answer["failure"]] if answer["failure"] else [])])


def answer_facts(simulated: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The answer to one question, as names and values."""
    answer = simulated["answer"]
    ttl = answer["ttl_seconds"]
    return [
        ("decision", answer["decision"]),
        ("scopes", answer["scopes"]),
        ("at most", f"{ttl} s" if ttl else ""),
        ("reasons", "; ".join(answer["reasons"])),
        ("asks for", answer["step_up_json"]),
        ("failure", answer["failure"]),
        ("version", simulated["version"]),
    ]


def rule_row(rule: Mapping[str, Any]) -> list[Any]:
    """A row of `RULES`."""
    return [rule["module"], rule["line"], rule["name"], rule["value_json"]]


def finding_row(finding: Mapping[str, Any]) -> list[Any]:
    """A row of `FINDINGS`."""
    at = [finding["place"], finding["line"], finding["column"]] if finding["line"] else []
    place = ":".join(map(str, at)) or finding["place"]
    return [finding["severity"], place, finding["text"]]


def test_rows(tests: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
    """The tests that do not hold, as rows of `FINDINGS`."""
    failed = (each for each in tests if not each["passed"])
    return [["test", f"{each['module']} {each['name']}", each["detail"]] for each in failed]


def replica_row(replica: Mapping[str, Any]) -> list[Any]:
    """A row of `REPLICAS`."""
    return [replica[name] for name in ("replica", "version", "load", "time", "detail")]


def activation_row(activation: Mapping[str, Any]) -> list[Any]:
    """A row of `ACTIVATIONS`."""
    by = activation["application_id"] or "the authority itself"
    return [activation["time"], activation["version"], by]
