"""The refusals that every store gives alike; none holds a driver's text or a stored value."""

from __future__ import annotations

from collections.abc import Sequence

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.port import MAX_CHANGES, MAX_TTL, Change, Expect, Key, Put


def unavailable(message: str) -> CaracalError:
    """`STORE_UNAVAILABLE`, worth trying again in a second."""
    return CaracalError(Reason.STORE_UNAVAILABLE, message, retry_after=1.0)


def closed() -> CaracalError:
    """`STORE_UNAVAILABLE` after `close`: of no use to try again."""
    return CaracalError(Reason.STORE_UNAVAILABLE, "the store is closed, open a new one")


def behind(revision: int) -> CaracalError:
    """`STORE_UNAVAILABLE` because a read asked for a revision that did not come in time."""
    return unavailable(f"the store has not reached revision {revision}, try again")


def exists(key: Key) -> CaracalError:
    """`OBJECT_EXISTS` for `key`."""
    return _about(Reason.OBJECT_EXISTS, key, "exists already, choose another id or update it")


def not_found(key: Key) -> CaracalError:
    """`OBJECT_NOT_FOUND` for `key`."""
    return _about(Reason.OBJECT_NOT_FOUND, key, "does not exist, create it first")


def contended(key: Key) -> CaracalError:
    """`CONFLICT` because others kept changing `key`."""
    return _about(Reason.CONFLICT, key, "is being changed by others, read it and try again")


def conflict() -> CaracalError:
    """`CONFLICT` because an expectation of a commit did not hold."""
    return CaracalError(
        Reason.CONFLICT, "what this change relied on has changed, read it again and repeat"
    )


def too_large(what: str) -> CaracalError:
    """`LIMIT_EXCEEDED` naming the bound that a change broke."""
    return CaracalError(Reason.LIMIT_EXCEEDED, f"{what}, split it")


def check_commit(changes: Sequence[Change], expects: Sequence[Expect]) -> None:
    """Raises what etcd would refuse, in our words: too many, twice the same key, a bad ttl."""
    if max(len(changes), len(expects)) > MAX_CHANGES:
        raise too_large(f"a commit holds at most {MAX_CHANGES} changes and expectations")
    if len({change.key for change in changes}) != len(changes):
        raise field_invalid("changes", "must name each key once")
    for change in changes:
        check_ttl(change.ttl if isinstance(change, Put) else None)


def check_ttl(ttl: int | None) -> None:
    """Raises `FIELD_INVALID` unless `ttl` is `None` or a life in whole seconds."""
    if ttl is not None and not 1 <= ttl <= MAX_TTL:
        raise field_invalid("ttl", f"must be 1 to {MAX_TTL} seconds")


def _about(reason: Reason, key: Key, rest: str) -> CaracalError:
    return CaracalError(
        reason,
        f"{key.kind} {key.id} of zone {key.zone} {rest}",
        metadata={"zone": key.zone, "kind": key.kind, "id": key.id},
    )
