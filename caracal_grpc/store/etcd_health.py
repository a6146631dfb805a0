"""The health of etcd: what each endpoint says of itself, one that is silent included."""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from caracal_grpc.store.etcd_call import Caller
from caracal_grpc.store.etcd_channel import Member
from caracal_grpc.store.etcd_fault import DRIVER_ERRORS, EtcdFailure
from caracal_grpc.store.etcd_settings import EtcdSettings
from caracal_grpc.store.health import StoreHealth, StoreMember

_ALARM: Final = re.compile(r"alarm:([A-Z]+)")
_TIMEOUT: Final = 2.0
"""Seconds for what one endpoint is asked: it looks at itself, and asks no other."""


async def etcd_health(caller: Caller, settings: EtcdSettings) -> StoreHealth:
    """The health of every endpoint of `settings`; raises `EtcdFailure` only when closed."""
    await _log_in(caller)
    pairs = zip(settings.endpoints, caller.members.all, strict=True)
    members = await asyncio.gather(*(_member(endpoint, member) for endpoint, member in pairs))
    return StoreHealth(tuple(members), await _count(caller))


async def _log_in(caller: Caller) -> None:
    try:
        await caller.ready("health")
    except EtcdFailure:
        if caller.closed:
            raise


async def _member(endpoint: str, member: Member) -> StoreMember:
    try:
        status: Any = await member.maintenance.status(timeout=_TIMEOUT)
    except DRIVER_ERRORS:
        return StoreMember(endpoint, answered=False)
    return StoreMember(
        endpoint,
        release=status.version,
        size=status.dbSize,
        in_use=status.dbSizeInUse,
        quota=status.dbSizeQuota,  # etcd tells it from 3.6 on
        leads=bool(status.leader) and status.leader == status.header.member_id,
        learner=status.isLearner,
        alarms=tuple(sorted(map(_alarm, status.errors))),
    )


def _alarm(text: str) -> str:
    """`NOSPACE` of `memberID:1 alarm:NOSPACE`; other trouble, such as no leader, in its words."""
    found = _ALARM.search(text)
    return found[1] if found else text[:100]


async def _count(caller: Caller) -> int:
    """How many members the cluster has, 0 when it does not say, as to users without the right."""
    try:
        answer = await caller.once(
            "list members",
            lambda member, timeout: member.cluster.member_list(
                linearizable=False, timeout=min(timeout, _TIMEOUT)
            ),
        )
    except EtcdFailure:
        return 0
    return len(answer.members)
