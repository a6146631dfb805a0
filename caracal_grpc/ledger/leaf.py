"""The data of a leaf: the RFC 8785 canonical JSON of an event together with its index.

The index is part of what is hashed, so an entry that is moved convicts itself. It is known only
inside the commit, while canonicalising can be done before: canonical members are sorted, so the two
halves around `index` are made first and the index is written between them.

An `Entry` admits only ASCII keys, integers up to 2^53 - 1 and text without lone surrogates. Over
such values RFC 8785 is what the standard library's encoder writes, in a sixth of the time of a
canonicaliser for all of JSON; the tests hold the two together over generated entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from json import JSONEncoder
from typing import Any, Final

from caracal_grpc.core.entry import MAX_ANSWER, MAX_QUESTION, Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason

MAX_LEAF: Final = 32_768 + 2 * (MAX_QUESTION + MAX_ANSWER)
"""Bytes of a leaf: what policy was asked and answered is JSON within JSON, where a quote is two."""
_INDEX: Final = "index"
_ENCODE: Final = JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, check_circular=False, separators=(",", ":")
).encode


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry ready to be placed: the canonical bytes before and after its index."""

    entry: Entry
    head: bytes
    tail: bytes

    def at(self, index: int) -> bytes:
        """The data of the leaf at `index`."""
        return b"%b%d%b" % (self.head, index, self.tail)


def draft(entry: Entry) -> Draft:
    """The entry made ready; raises `LIMIT_EXCEEDED` when its event is over `MAX_LEAF` bytes."""
    event = entry.to_event()
    head = _canonical({name: value for name, value in event.items() if name < _INDEX})
    tail = _canonical({name: value for name, value in event.items() if name > _INDEX})
    if len(head) + len(tail) > MAX_LEAF:
        raise CaracalError(
            Reason.LIMIT_EXCEEDED, f"the audit event is over {MAX_LEAF} bytes; send shorter lists"
        )
    return Draft(entry, head[:-1] + b',"index":', b"," + tail[1:])


def _canonical(event: dict[str, Any]) -> bytes:
    return _ENCODE(event).encode()
