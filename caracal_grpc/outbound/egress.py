"""Which addresses the authority may call: one pure function over an address."""

from __future__ import annotations

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

Network = IPv4Network | IPv6Network

LOOPBACK: Final[tuple[Network, ...]] = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""This machine: what is allowed where everything runs on one."""

_GLOBAL: Final = IPv6Network("2000::/3")
"""All IPv6 addresses that are anybody's in the Internet (RFC 4291 section 2.4)."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""An IPv4 address as IPv6-only networks write it (RFC 6052 section 2.1)."""

# The special-purpose registries of IANA (RFC 6890), rather than what a release of Python knows of
# them; and the address by which a machine in Azure reaches its host, public by its looks only.
_SPECIAL: Final[tuple[Network, ...]] = tuple(
    ip_network(block)
    for block in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)


def is_permitted(address: str, allowed: tuple[Network, ...] = ()) -> bool:
    """Whether `address`, as numbers, may be called: one of the Internet, or in an allowed network.

    Anything that is not an address in its one usual spelling is not: `127.1` is another's word for
    loopback. An IPv4 address within an IPv6 one (mapped, RFC 4291 section 2.5.5.2, or translated)
    is judged as what it is.
    """
    try:
        found = ip_address(address)
    except ValueError:
        return False
    inner = _inner(found)
    if any(each in network for each in (found, inner) for network in allowed):
        return True
    if isinstance(inner, IPv6Address) and inner not in _GLOBAL:
        return False
    return not any(inner in block for block in _SPECIAL)


def is_loopback(address: str) -> bool:
    """Whether `address`, as numbers, is this machine's own."""
    try:
        found = _inner(ip_address(address))
    except ValueError:
        return False
    return any(found in network for network in LOOPBACK)


def _inner(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address in _TRANSLATED:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
