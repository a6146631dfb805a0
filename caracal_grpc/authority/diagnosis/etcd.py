"""Checks of the store: its members, its room, and how fast it answers."""

from __future__ import annotations

from typing import Final

from caracal_grpc.authority.diagnosis.check import (
    Finding,
    Question,
    failed,
    fine,
    graded,
    warning,
)
from caracal_grpc.authority.diagnosis.ground import Ground
from caracal_grpc.authority.diagnosis.units import counted, size, span
from caracal_grpc.authority.state.places import zone_place
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.store.etcd_release import ADVICE, is_leaky
from caracal_grpc.store.health import StoreMember

_DEFAULT_QUOTA: Final = 2 << 30
"""etcd's own, when it does not tell: it does from 3.6 on."""

_SLOW_READ, _TOO_SLOW_READ = 0.1, 1.0
_SLOW_WRITE, _TOO_SLOW_WRITE = 0.25, 2.0
"""Seconds. A revocation takes at least one write to hold, and every beat is one."""

_MAKE_ROOM: Final = "compact the history, run etcdctl defrag on each member"
_ALARMS: Final = {
    "NOSPACE": f"etcd takes no writes: raise --quota-backend-bytes or {_MAKE_ROOM}; then run "
    "etcdctl alarm disarm",
    "CORRUPT": "a member's data is damaged: remove that member and let it join anew",
}
_SPEED: Final = "see that etcd is near, with a fast disk of its own (etcd_disk_wal_fsync_duration)"


async def members(ground: Ground) -> Finding:
    """Which endpoints answer, and whether there is a leader."""
    health = await ground.parts.store.health()
    silent = [each.endpoint for each in health.members if not each.answered]
    answering = len(health.members) - len(silent)
    detail = f"{answering} of {counted(len(health.members), 'endpoint')} answer"
    if health.cluster:
        detail = f"{detail}, the cluster has {counted(health.cluster, 'member')}"
    if not answering:
        return failed(detail, "start etcd, and check the setting etcd_endpoints")
    if any("no leader" in alarm for each in health.members for alarm in each.alarms):
        return failed(f"{detail}, and no leader", "start enough members for a majority")
    if silent:
        return warning(f"{detail}, not {', '.join(silent)}", "start it, or correct etcd_endpoints")
    return fine(detail)


async def release(ground: Ground) -> Finding:
    """Whether a release is known to lose writes or events."""
    versions = {each.release for each in await _answering(ground) if each.release}
    detail = f"etcd {', '.join(sorted(versions))}" if versions else "no release is told"
    leaky = any(map(is_leaky, versions))
    return warning(f"{detail} may lose writes or watch events", ADVICE) if leaky else fine(detail)


async def alarms(ground: Ground) -> Finding:
    """What etcd itself says is wrong."""
    raised = sorted({alarm for each in await _answering(ground) for alarm in each.alarms})
    if not raised:
        return fine("none")
    advice = _ALARMS.get(raised[0], "see etcdctl endpoint status, and the log of etcd")
    return failed(", ".join(raised), advice)


async def quota(ground: Ground) -> Finding:
    """How full the fullest member is; etcd takes no writes when it is full."""
    fullest = max(await _answering(ground), key=_fill)
    limit = fullest.quota or _DEFAULT_QUOTA
    assumed = "" if fullest.quota else ", which is assumed: this release does not tell"
    detail = f"{size(fullest.size)} of {size(limit)}{assumed}"
    free = fullest.size - fullest.in_use
    advice = f"{_MAKE_ROOM} ({size(free)} are free inside), or raise --quota-backend-bytes"
    return graded(_fill(fullest), 0.8, 0.95, detail, advice)


async def read(ground: Ground) -> Finding:
    """How long a read takes that a majority has to answer."""
    parts = ground.parts
    began = parts.clock.monotonic()
    await parts.store.get(zone_place(ground.zone.name))
    took = parts.clock.monotonic() - began
    return graded(took, _SLOW_READ, _TOO_SLOW_READ, f"linearizable, in {span(took)}", _SPEED)


async def write(ground: Ground) -> Finding:
    """How long a write takes until it is back through the watch: the way of every revocation."""
    parts = ground.parts
    began = parts.clock.monotonic()
    revision = await parts.replicas.say()
    wrote = parts.clock.monotonic()
    await parts.state.reached(revision)
    seen = parts.clock.monotonic()
    detail = f"durable in {span(wrote - began)}, seen here after {span(seen - began)}"
    return graded(seen - began, _SLOW_WRITE, _TOO_SLOW_WRITE, detail, _SPEED)


async def _answering(ground: Ground) -> list[StoreMember]:
    health = await ground.parts.store.health()
    answering = [each for each in health.members if each.answered]
    if not answering:
        raise CaracalError(Reason.STORE_UNAVAILABLE, "no endpoint of etcd answers")
    return answering


def _fill(member: StoreMember) -> float:
    return member.size / (member.quota or _DEFAULT_QUOTA)


_REACH: Final = "start etcd and see that this replica reaches it; its log says more"

ETCD: Final = (
    Question("etcd", "members", members, _REACH),
    Question("etcd", "release", release, _REACH),
    Question("etcd", "alarms", alarms, _REACH),
    Question("etcd", "quota", quota, _REACH),
    Question("etcd", "read", read, _REACH),
    Question("etcd", "write", write, "see the alarms and the quota of etcd, and its log"),
)
