"""The credentials of upstreams as a kind of object, so that standard methods read and change them.

A secret is in a record of its own, sealed for a place that names the upstream and what kind of
credential it is: put anywhere else it does not open. A new secret has a new place, and the old one
is gone with the commit that brings it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from caracal_grpc.authority.keys.vault import Vault
from caracal_grpc.authority.state import places
from caracal_grpc.authority.upstreams.checks import upstream_violations
from caracal_grpc.authority.zones.applications import ApplicationChanges
from caracal_grpc.authority.zones.change import Action, Change
from caracal_grpc.authority.zones.kinds import Kind
from caracal_grpc.core import ids
from caracal_grpc.core.limits import MAX_UPSTREAMS
from caracal_grpc.core.ports import Ids
from caracal_grpc.core.upstream import DeclaredUpstream, UpstreamCredential
from caracal_grpc.core.zone import Zone
from caracal_grpc.store.port import Change as Write
from caracal_grpc.store.port import Delete, Key, Put

UpstreamKind = Kind[UpstreamCredential, DeclaredUpstream]
KIND: Final = "upstream"


def upstream_kind(vault: Vault, new_ids: Ids) -> UpstreamKind:
    """The kind; its secrets are sealed by `vault`."""
    sealing = _Sealing(vault, new_ids)
    return Kind(
        name=KIND,
        stored=places.UPSTREAMS,
        role=None,
        most=MAX_UPSTREAMS,
        fields={"name": "text", "resource": "text", "kind": "text"},
        named=ids.require_slug,
        find=lambda state, zone, name: state.upstream(zone, name),
        every=lambda state, zone: state.upstreams(zone),
        places=lambda zone, found: (places.upstream_place(zone, found.name),),
        violations=upstream_violations,
        change=sealing.change,
        parse=UpstreamCredential.from_value,
    )


def secret_place(zone: str, upstream: UpstreamCredential) -> Key:
    """Where the secret of a credential is, by its name and its kind, to which the seal is bound."""
    return places.upstream_secret_place(zone, upstream.name, upstream.kind, upstream.secret)


class _Sealing:
    """Plans what becomes of one credential; it writes nothing."""

    def __init__(self, vault: Vault, new_ids: Ids) -> None:
        self._vault = vault
        self._ids = new_ids

    def change(
        self,
        _: ApplicationChanges,
        zone: Zone,
        present: UpstreamCredential | None,
        wanted: DeclaredUpstream | None,
    ) -> Change | None:
        """What brings `present` to what is wanted; `None` when it is so.

        A secret that is given is a new one, also when it is the same: else whoever may write could
        try which one it is.
        """
        if wanted is None:
            return _removed(zone, present) if present else None
        after = self._after(present, wanted)
        if after == present:
            return None
        writes: list[Write] = [Put(places.upstream_place(zone.name, after.name), after.to_value())]
        if present is None or after.secret != present.secret:
            place = secret_place(zone.name, after)
            sealed = self._vault.seal(place, wanted.secret.encode())
            writes.append(Put(place, {"sealed": sealed}))
            if present is not None:
                writes.append(Delete(secret_place(zone.name, present)))
        fields = tuple(_differing(present, after)) if present else ()
        action: Action = "update" if present else "create"
        return Change(action, KIND, after.name, fields, tuple(writes))

    def _after(
        self, present: UpstreamCredential | None, wanted: DeclaredUpstream
    ) -> UpstreamCredential:
        """What there will be; that without a secret of its kind one is given was checked."""
        kept = present.secret if present and present.kind == wanted.kind else ""
        secret = self._ids.new(ids.UPSTREAM) if wanted.secret else kept
        return UpstreamCredential(wanted.name, wanted.resource, wanted.kind, wanted.label, secret)


def _removed(zone: Zone, present: UpstreamCredential) -> Change:
    gone = (
        Delete(places.upstream_place(zone.name, present.name)),
        Delete(secret_place(zone.name, present)),
    )
    return Change("delete", KIND, present.name, writes=gone)


def _differing(present: UpstreamCredential, after: UpstreamCredential) -> Iterator[str]:
    """The names of the fields that change, as requests have them."""
    if present.resource != after.resource:
        yield "resource"
    if (present.kind, present.label, present.secret) != (after.kind, after.label, after.secret):
        yield after.kind
