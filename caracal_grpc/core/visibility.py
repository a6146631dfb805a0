"""What of its lineage a mandate shows, and the way back to who is behind it.

A hidden id is replaced by its alias: a hash of the id with the zone, so that it is the same in all
mandates of the zone, says nothing of whom it names, and is an anchor like the id itself. Ids hold
74 random bits, so nobody finds one by trying; who knows an id already can tell its alias.

In a mandate that shows the last hop only, the aliases of the hops before it are a list, root first:
of each hop its application, its session, and its delegation if it has one.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import pairwise
from typing import Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import APPLICATION, prefix_of
from caracal_grpc.core.mandate import Hop, Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.zone import ChainVisibility, Zone

_PREFIX: Final = "h_"
_BYTES: Final = 16


def alias(zone: str, name: str) -> str:
    """What stands for an id in mandates of `zone` that hide it; 24 characters."""
    digest = hashlib.sha256(f"caracal alias\n{zone}\n{name}".encode()).digest()
    return _PREFIX + base64.urlsafe_b64encode(digest[:_BYTES]).rstrip(b"=").decode()


def is_alias(name: str) -> bool:
    """Whether `name` stands for an id; no id of ours looks like it."""
    return name.startswith(_PREFIX)


def hides(zone: Zone, now: float) -> bool:
    """Whether mandates may be alive that hide their lineage, so that edges must know aliases."""
    return zone.chain_visibility != "full" or now < zone.hidden_until


def hidden(mandate: Mandate, visibility: ChainVisibility, own: AbstractSet[str]) -> Mandate:
    """`mandate` as it is shown; `own` are the holder's own sessions, which it may name.

    Its subject is shown, and so is all of a mandate for the authority itself, which knows it.
    """
    if visibility == "full" or mandate.use == "session":
        return mandate

    def shown(session: str) -> str:
        return session if session in own else alias(mandate.zone, session)

    above = [_hop(hop, lambda name: alias(mandate.zone, name)) for hop in mandate.chain[:-1]]
    veiled = replace(
        mandate,
        chain=(*above, *mandate.chain[-1:]),
        root_session=shown(mandate.root_session),
        ancestors=tuple(map(shown, mandate.ancestors)),
    )
    return veiled if visibility == "hashed" else _folded(veiled)


def _folded(mandate: Mandate) -> Mandate:
    above = mandate.chain[:-1]
    names = (name for hop in above for name in (hop.application, hop.session, hop.delegation))
    return replace(
        mandate,
        chain=mandate.chain[-1:],
        hidden_hops=len(above),
        hidden=tuple(name for name in names if name),
    )


def revealed(mandate: Mandate, find: Callable[[str], str | None]) -> Mandate:
    """The mandate with every alias replaced by the id that it stands for, told by `find`.

    Raises `MANDATE_REVOKED` for an alias that nothing has: what it stood for is gone.
    """

    def named(name: str) -> str:
        found = find(name) if is_alias(name) else name
        if found is None:
            raise CaracalError(
                Reason.MANDATE_REVOKED,
                "somebody in the lineage of the mandate is gone",
                metadata={"anchor": name},
            )
        return found

    above = _hops([named(name) for name in mandate.hidden])
    return replace(
        mandate,
        chain=(*above, *(_hop(hop, named) for hop in mandate.chain)),
        root_session=named(mandate.root_session),
        ancestors=tuple(map(named, mandate.ancestors)),
        hidden_hops=0,
        hidden=(),
    )


def _hop(hop: Hop, named: Callable[[str], str]) -> Hop:
    delegation = named(hop.delegation) if hop.delegation else None
    return Hop(named(hop.application), named(hop.session), delegation)


def _hops(names: Sequence[str]) -> Iterable[Hop]:
    """The hops that a folded list names, each from its application to before the next one."""
    starts = [at for at, name in enumerate(names) if prefix_of(name) == APPLICATION]
    for start, end in pairwise([*starts, len(names)]):
        application, session, *delegation = names[start:end]
        yield Hop(application, session, *delegation)
