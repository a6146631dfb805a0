"""What the authority knows, as typed values over the mirror of the store. Reading never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, TypeVar

from caracal_grpc.authority.state import places
from caracal_grpc.core.application import Application
from caracal_grpc.core.approval import Approval
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.ids import family_of
from caracal_grpc.core.issuer import TrustedIssuer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.session import Session, session_not_active
from caracal_grpc.core.upstream import UpstreamCredential
from caracal_grpc.core.webhook import Webhook
from caracal_grpc.core.zone import AUTHORITY, Resource, Zone
from caracal_grpc.store.mirror import Mirror
from caracal_grpc.store.port import Event, Key, Record

T = TypeVar("T")


class State:
    """Typed reads over a started `Mirror`; values are parsed once a revision.

    `max_staleness` is how many seconds old the mirror may be before decisions are refused.
    """

    def __init__(self, mirror: Mirror, clock: Clock, max_staleness: float) -> None:
        self._mirror = mirror
        self._clock = clock
        self._max_staleness = max_staleness
        self._parsed: dict[Key, tuple[int, Any]] = {}
        self._unsubscribe = mirror.subscribe(self._on_event)

    def close(self) -> None:
        """Stops following the mirror."""
        self._unsubscribe()

    @property
    def revision(self) -> int:
        """The revision of the store that every read reflects."""
        return self._mirror.revision

    def dead(self, zone: str) -> AbstractSet[str]:
        """Every dead anchor of the zone: a live view. What one zone revokes is alive in others."""
        return self._mirror.all(zone, places.REVOCATIONS).keys()

    def age(self) -> float:
        """How old the knowledge is, in seconds; infinite before the first proof of freshness."""
        return self._mirror.staleness()

    def require_fresh(self) -> None:
        """Raises `AUTHORITY_STALE` when the store has been out of sight for too long."""
        if self.age() > self._max_staleness:
            raise CaracalError(
                Reason.AUTHORITY_STALE,
                "the authority has lost sight of its store; try again soon",
                retry_after=1.0,
            )

    async def reached(self, revision: int) -> None:
        """Waits until reads reflect `revision`; raises `STORE_UNAVAILABLE` if that takes long."""
        await self._mirror.reached(revision, timeout=self._max_staleness)

    def zones(self) -> list[Zone]:
        """Every zone, in the order of their names."""
        named = (self.find_zone(name) for name in sorted(self._mirror.zones()))
        return [zone for zone in named if zone is not None]

    def find_zone(self, name: str) -> Zone | None:
        """The zone, or `None`."""
        return self._one(name, places.ZONES, name, Zone.from_value)

    def zone(self, name: str) -> Zone:
        """The zone; raises `OBJECT_NOT_FOUND`."""
        zone = self.find_zone(name)
        if zone is None:
            raise not_found("zone", name)
        return zone

    def application(self, zone: str, application: str) -> Application | None:
        """The application by its id, or `None`."""
        return self._one(zone, places.APPLICATIONS, application, Application.from_value)

    def name_of(self, zone: str, application: str) -> str:
        """What the application is called; empty for one that is unknown, or is none."""
        found = self.application(zone, application)
        return found.name if found else ""

    def applications(self, zone: str) -> list[Application]:
        """Every application of the zone, in the order of their ids."""
        return self._every(zone, places.APPLICATIONS, Application.from_value)

    def resource(self, zone: str, name: str) -> Resource | None:
        """The resource by its name, or `None`; the authority itself is a resource of every zone."""
        if name == AUTHORITY.name:
            return AUTHORITY
        return self._one(zone, places.RESOURCES, places.resource_id(name), Resource.from_value)

    def protected(self, zone: str, name: str) -> Resource | None:
        """What a request names: a resource by its name, else as its family declares it, if any."""
        found = self.resource(zone, name)
        family = None if found else self.family(zone, name)
        return found if family is None else replace(family, name=name)

    def family(self, zone: str, name: str) -> Resource | None:
        """The declared family that a resource belongs to by its name, or `None`."""
        family = family_of(name)
        return None if family is None else self.resource(zone, family)

    def resources(self, zone: str) -> list[Resource]:
        """Every declared resource of the zone."""
        return self._every(zone, places.RESOURCES, Resource.from_value)

    def issuers(self, zone: str) -> list[TrustedIssuer]:
        """Every issuer of users of the zone, in the order of their names."""
        return self._every(zone, places.ISSUERS, TrustedIssuer.from_value)

    def proof_systems(self, zone: str) -> list[TrustedIssuer]:
        """Every proof system of the zone, in the order of their names."""
        return self._every(zone, places.PROOF_SYSTEMS, TrustedIssuer.from_value)

    def workload_issuers(self, zone: str) -> list[TrustedIssuer]:
        """Every workload issuer of the zone, in the order of their names."""
        return self._every(zone, places.WORKLOAD_ISSUERS, TrustedIssuer.from_value)

    def webhooks(self, zone: str) -> list[Webhook]:
        """Every webhook of the zone, in the order of their names."""
        return self._every(zone, places.WEBHOOKS, Webhook.from_value)

    def upstream(self, zone: str, name: str) -> UpstreamCredential | None:
        """The credential of an upstream by its name, or `None`."""
        return self._one(zone, places.UPSTREAMS, name, UpstreamCredential.from_value)

    def upstreams(self, zone: str) -> list[UpstreamCredential]:
        """Every credential of an upstream of the zone, in the order of their names."""
        return self._every(zone, places.UPSTREAMS, UpstreamCredential.from_value)

    def approval(self, zone: str, approval: str) -> Approval | None:
        """The approval by its id, or `None`; votes under a compromised key are none."""
        found = self._one(zone, places.APPROVALS, approval, Approval.from_value)
        return found.without(self.is_compromised) if found else None

    def approvals(self, zone: str) -> list[Approval]:
        """Every approval of the zone, in the order of their ids; votes as in `approval`."""
        found = self._every(zone, places.APPROVALS, Approval.from_value)
        return [each.without(self.is_compromised) for each in found]

    def is_compromised(self, zone: str, kid: str) -> bool:
        """Whether nothing that the key `kid` of `zone` signed is to be believed, for good."""
        record = self.record(places.key_place(zone, kid)) if kid else None
        return record is not None and bool(record.value["revoked"])

    def session(self, zone: str, session: str) -> Session:
        """The session; raises `SESSION_NOT_ACTIVE` when it is unknown or long over."""
        found = self.find_session(zone, session)
        if found is None:
            raise session_not_active(session, "unknown")
        return found

    def find_session(self, zone: str, session: str) -> Session | None:
        """The session, or `None`."""
        return self._one(zone, places.SESSIONS, session, Session.from_value)

    def sessions(self, zone: str) -> list[Session]:
        """Every session of the zone, in the order of their ids."""
        return self._every(zone, places.SESSIONS, Session.from_value)

    def lineage(self, session: Session) -> tuple[Session, ...]:
        """The session and all above it, root first; raises `SESSION_NOT_ACTIVE` for a lost one."""
        line = [session]
        while line[-1].parent:
            line.append(self.session(session.zone, line[-1].parent))
        return tuple(reversed(line))

    def record(self, place: Key) -> Record | None:
        """The raw record, for the one room that knows its form."""
        return self._mirror.get(place)

    def revision_of(self, place: Key) -> int:
        """The revision of a record, 0 when there is none: what a commit may expect of it."""
        record = self._mirror.get(place)
        return record.revision if record else 0

    def records(self, zone: str, kind: str) -> Mapping[str, Record]:
        """All raw records of a kind, by id."""
        return self._mirror.all(zone, kind)

    def subscribe(self, listener: Callable[[Event, AbstractSet[Key]], None]) -> Callable[[], None]:
        """Tells `listener` of each event with the keys it changed, after it is visible here."""
        return self._mirror.subscribe(listener)

    def _one(
        self, zone: str, kind: str, name: str, parse: Callable[[Mapping[str, Any]], T]
    ) -> T | None:
        record = self._mirror.all(zone, kind).get(name)
        return None if record is None else self._parse(record, parse)

    def _every(self, zone: str, kind: str, parse: Callable[[Mapping[str, Any]], T]) -> list[T]:
        return list(self._parse_all(self._mirror.all(zone, kind), parse))

    def _parse_all(
        self, records: Mapping[str, Record], parse: Callable[[Mapping[str, Any]], T]
    ) -> Iterator[T]:
        for name in sorted(records):
            yield self._parse(records[name], parse)

    def _parse(self, record: Record, parse: Callable[[Mapping[str, Any]], T]) -> T:
        known = self._parsed.get(record.key)
        if known is None or known[0] != record.revision:
            known = (record.revision, parse(record.value))
            self._parsed[record.key] = known
        value: T = known[1]
        return value

    def _on_event(self, _: Event, changed: AbstractSet[Key]) -> None:
        for key in changed:
            self._parsed.pop(key, None)


def not_found(kind: str, name: str) -> CaracalError:
    """The refusal of something that is not there (`OBJECT_NOT_FOUND`)."""
    return CaracalError(
        Reason.OBJECT_NOT_FOUND, f"no such {kind} in this zone", metadata={"kind": kind, "id": name}
    )
