"""The input document that policies may count on, so that a slip of the pen shows in time."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

Part = str | None
"""One step of a reference: a name, or `None` for what is computed."""

_TEXT: Final = None
_NAMED: Final = {"id": _TEXT, "name": _TEXT}


class _Many:
    """A list of `each`; with nothing known of them, anything at all."""

    def __init__(self, each: object = None) -> None:
        self.each = each


_TEXTS: Final = _Many(_TEXT)
_ANYTHING: Final = object()

INPUT: Final[Mapping[str, object]] = MappingProxyType(
    {
        "zone": _TEXT,
        "principal": {**_NAMED, "labels": _TEXTS},
        "subject": {**_NAMED, "type": _TEXT, "issuer": _TEXT, "subject": _TEXT},
        "resource": {
            "name": _TEXT,
            "scopes": _TEXTS,
            "family": _TEXT,
            "may_act": _Many({"actor": _TEXT, "subjects": _TEXTS}),
        },
        "requested_scopes": _TEXTS,
        "session": {"id": _TEXT, "root": _TEXT, "labels": _TEXTS, "delegation": _TEXT},
        "lineage": _Many(
            {"application_id": _TEXT, "name": _TEXT, "session_id": _TEXT, "delegation_id": _TEXT}
        ),
        "actor": _NAMED,
        "peer": {
            "address": _TEXT,
            "method": _TEXT,
            "spiffe_id": _TEXT,
            "dns_names": _TEXTS,
            "thumbprint": _TEXT,
            "kubernetes": {"issuer": _TEXT, "namespace": _TEXT, "service_account": _TEXT},
        },
        "context": _ANYTHING,
        "now": _TEXT,
    }
)
"""What `input` may hold. Only of `context` is it the caller who says what is there."""


def unknown_field(path: Iterable[Part]) -> str:
    """What is wrong with a reference below `input`; empty when it is in the contract."""
    known: object = INPUT
    walked = "input"
    for part in path:
        if known is _ANYTHING or (part is None and isinstance(known, Mapping)):
            return ""
        if isinstance(known, _Many) and part is None:
            known, walked = known.each, f"{walked}[_]"
        elif isinstance(known, Mapping) and part in known:
            known, walked = known[part], f"{walked}.{part}"
        else:
            return _unknown(known, walked, part)
    return ""


def _unknown(known: object, walked: str, part: Part) -> str:
    if isinstance(known, _Many):
        return f"{walked} is a list, which has no field {part}"
    if not isinstance(known, Mapping):
        return f"{walked} is a single value, which has nothing below"
    near = difflib.get_close_matches(str(part), known, 1)
    hint = f"; is it {near[0]}?" if near else f"; known are {', '.join(sorted(known))}"
    return f"{walked} has no field {part}{hint}"
