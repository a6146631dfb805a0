"""Addresses that settings name."""

from __future__ import annotations

import ipaddress
from typing import Final

MAX_PORT: Final = 65_535


def is_wildcard(address: str) -> bool:
    """Whether `host:port` is every address of this machine, which nobody can call."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return not host or ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(address: str) -> bool:
    """Whether `host:port` is on this machine only."""
    host = address.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def port_of(address: str) -> int:
    """The port of `host:port`."""
    return int(address.rpartition(":")[2])


def is_network(text: str) -> bool:
    """Whether it is a network such as 10.1.0.0/16."""
    try:
        ipaddress.ip_network(text)
    except ValueError:
        return False
    return True
