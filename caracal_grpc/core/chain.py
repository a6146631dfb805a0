"""The chain of a line of sessions: who passed authority on, from the subject to the holder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from caracal_grpc.core.mandate import Hop
from caracal_grpc.core.session import Session
from caracal_grpc.core.verdict import hops_exceeded


def chain_of(line: Sequence[Session]) -> tuple[Hop, ...]:
    """The hops of a session with all above it, root first; none when the subject acts itself.

    A hop begins where a delegation was received, or where an application began to act for a user.
    It is named by the deepest session of the party that received it.
    """
    return tuple(
        Hop(part[-1].application, part[-1].id, part[0].delegation or None)
        for part in _parts(line)
        if part[0].delegation or part[0].subject_type == "user"
    )


def hops_left(chain: Sequence[Hop], most: int, bounds: Mapping[str, int]) -> int:
    """How many more times authority may be passed on below `chain`.

    `most` is the zone's bound on the whole chain; `bounds` says of each delegation in it how many
    hops there may be below it, none below one that it does not know. Raises `HOPS_EXCEEDED` when
    there are more already.
    """
    left = most - len(chain)
    if left < 0:
        raise hops_exceeded(len(chain), most)
    for below, hop in enumerate(reversed(chain)):
        if hop.delegation:
            bound = bounds.get(hop.delegation, 0)
            if below > bound:
                raise hops_exceeded(below, bound, "delegation")
            left = min(left, bound - below)
    return left


def _parts(line: Sequence[Session]) -> Iterator[Sequence[Session]]:
    """The line, cut before each session that authority was passed on to."""
    cuts = [
        index
        for index, (above, below) in enumerate(pairwise(line), start=1)
        if below.delegation or below.subject != above.subject
    ]
    for begin, end in pairwise([0, *cuts, len(line)]):
        yield line[begin:end]
