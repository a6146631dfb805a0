"""An etcd that runs out of room: a quota so small that a test fills it."""

from __future__ import annotations

import os

import grpc
import grpc.aio
from etcd3aio import EtcdError
from etcd3aio.maintenance import MaintenanceService

from tests.support.etcd import EtcdProcess

TINY_QUOTA = ("--quota-backend-bytes=2097152",)
"""Two mebibytes; a new etcd takes some kibibytes."""


async def exhaust(process: EtcdProcess) -> None:
    """Writes until etcd takes no more, which it says with its alarm NOSPACE."""
    async with process.kv() as kv:
        for number in range(64):
            try:
                await kv.put(f"filler/{number}", os.urandom(500_000).hex()[:900_000])
            except (EtcdError, grpc.RpcError):
                break
    async with grpc.aio.insecure_channel(f"dns:///{process.endpoint}") as channel:
        raised = await MaintenanceService(channel).alarms()
        assert raised.alarms, "etcd has room left"
