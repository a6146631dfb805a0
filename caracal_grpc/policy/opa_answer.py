"""What an OPA server answers: the result for one input, and which bundles it was made from.

The form is that of OPA's Data API with `provenance=true`. A document that is undefined has no
`result`; a server with bundles tells the revision of each, an older one that of its only one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class OpaAnswer:
    """The `result`, `None` for an undefined one, and the revisions of the server's bundles."""

    result: object
    revisions: frozenset[str]


def read_answer(body: bytes) -> OpaAnswer:
    """The answer in the body of a response; raises `ValueError` for one of another form."""
    try:
        document = json.loads(body, object_pairs_hook=_members, parse_constant=_no_number)
    except RecursionError as exc:
        raise ValueError("it is nested too deep") from exc
    if not isinstance(document, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - one kind of trouble, one exception
    return OpaAnswer(document.get("result"), _revisions(document.get("provenance")))


def _revisions(provenance: object) -> frozenset[str]:
    """The revisions in a provenance; without any when it is not there."""
    if not isinstance(provenance, Mapping):
        return frozenset()
    bundles = provenance.get("bundles")
    told = list(bundles.values()) if isinstance(bundles, Mapping) else []
    found = [each.get("revision") for each in (*told, provenance) if isinstance(each, Mapping)]
    return frozenset(each for each in found if isinstance(each, str) and each)


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("it names a member twice")
    return members


def _no_number(text: str) -> Any:
    raise ValueError(f"it holds {text}")


DATA_PATH: Final = "/v1/data/caracal/authz/result?provenance=true"
"""Where the result is asked for, below the URL of the server."""
