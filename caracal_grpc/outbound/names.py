"""Names to addresses, on threads of their own: a name server that hangs holds up nobody else."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

LOCALHOST: Final = "localhost"
_THREADS: Final = 32
_LOCALHOST_ADDRESSES: Final = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
_NUMERIC: Final = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV

Address = tuple[socket.AddressFamily, str]


class Names(AbstractResolver):
    """Asks the resolver of the system anew for every connection."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="caracal-names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Every address of `host`, in the order of the system; raises `OSError` without any."""
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=0, flags=_NUMERIC
            )
            for kind, address in await self.addresses(host)
            if family in {socket.AF_UNSPEC, kind}
        ]

    async def addresses(self, host: str) -> list[Address]:
        """The addresses that `host` has now; `localhost` is nobody else's (RFC 6761)."""
        if host.rstrip(".").lower() == LOCALHOST:
            return list(_LOCALHOST_ADDRESSES)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _look_up, host)

    async def close(self) -> None:
        """Takes no more names; a look-up that hangs is left to end by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str) -> list[Address]:
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return [(family, str(address[0])) for family, _, _, _, address in found]
