"""The data of a leaf: the RFC 8785 canonical JSON of an event together with its index.

The index is part of what is hashed, so an entry that is moved convicts itself. It is known only
inside the commit, while canonicalising can be done before: canonical members are sorted, so the two
halves around `index` are made first and the index is written between them.

What is personal of the event is no part of the leaf: the leaf has a salted hash of it.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.entry import MAX_ANSWER, MAX_QUESTION, Entry
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.personal import COMMITMENT, parted
from caracal_grpc.core.reason import Reason
from caracal_grpc.ledger.entries.canonical import canonical
from caracal_grpc.ledger.entries.disclosure import SALT_SIZE, commitment, disclosure

MAX_LEAF: Final = 32_768 + 2 * (MAX_QUESTION + MAX_ANSWER)
"""Bytes of a leaf with what is personal of it: what policy was asked and answered is JSON within
JSON, where a quote is two."""
_INDEX: Final = "index"


@dataclass(frozen=True, slots=True)
class Draft:
    """An entry ready to be placed: the canonical bytes before and after its index, and what opens
    the commitment in them, if there is one.
    """

    entry: Entry
    head: bytes
    tail: bytes
    personal: bytes = b""

    def at(self, index: int) -> bytes:
        """The data of the leaf at `index`."""
        return b"%b%d%b" % (self.head, index, self.tail)


def draft(entry: Entry, salt: bytes = b"") -> Draft:
    """The entry made ready, with a fresh salt unless one is given; raises `LIMIT_EXCEEDED` when its
    event and what is personal of it are over `MAX_LEAF` bytes.
    """
    event, fields = parted(entry.to_event())
    personal = disclosure(fields, salt or secrets.token_bytes(SALT_SIZE)) if fields else b""
    if personal:
        event[COMMITMENT] = commitment(personal)
    head = canonical({name: value for name, value in event.items() if name < _INDEX})
    tail = canonical({name: value for name, value in event.items() if name > _INDEX})
    if len(head) + len(tail) + len(personal) > MAX_LEAF:
        raise CaracalError(
            Reason.LIMIT_EXCEEDED, f"the audit event is over {MAX_LEAF} bytes; send shorter lists"
        )
    return Draft(entry, head[:-1] + b',"index":', b"," + tail[1:], personal)
