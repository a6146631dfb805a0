"""Where an authority or a service is found: `host:port`, or a gRPC target of several replicas."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from caracal_grpc.core.errors import field_invalid

_MAX_ADDRESSES: Final = 32

_FORMS: Final = (
    "must be host:port, such as caracal.example:7443, or dns:///host:port, or every replica's "
    "address, such as ipv4:10.0.0.1:7443,10.0.0.2:7443 or ipv6:[::1]:7443,[::2]:7443"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What gRPC can resolve, and the hosts in it. Several addresses are several replicas of one."""

    text: str
    hosts: tuple[str, ...]

    @classmethod
    def of(cls, text: str, name: str = "authority") -> Target:
        """The target that `text` is; raises `FIELD_INVALID` for `name`."""
        scheme = next((each for each in _SCHEMES if text.startswith(each)), "")
        hosts = tuple(map(_host, text.removeprefix(scheme).split(",")))
        is_host = _SCHEMES[scheme]
        if not scheme.startswith("ip") and len(hosts) > 1:
            raise field_invalid(name, _FORMS)
        if len(hosts) > _MAX_ADDRESSES or not all(host and is_host(host) for host in hosts):
            raise field_invalid(name, _FORMS)
        return cls(text, hosts)

    @property
    def is_loopback(self) -> bool:
        """Whether each host is this machine."""
        return all(map(_is_loopback, self.hosts))


def require_loopback(name: str, target: str) -> None:
    """Raises `FIELD_INVALID` for `name` unless all of `target` is on loopback."""
    if not Target.of(target, name).is_loopback:
        raise field_invalid(name, "is not on loopback, where alone plaintext may go; use TLS")


def _host(address: str) -> str:
    """The host of `host:port`; empty when it is something else."""
    host, _, port = address.rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    bracketed = bare != host
    valid_port = port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65_536
    good = valid_port and (":" in bare) == bracketed and not {"/", ","} & set(bare)
    return bare if good else ""


def _is_any(_: str) -> bool:
    return True


def _is_ip(version: int) -> Callable[[str], bool]:
    def is_ip(host: str) -> bool:
        try:
            return ipaddress.ip_address(host).version == version
        except ValueError:
            return False

    return is_ip


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_SCHEMES: Final = {"dns:///": _is_any, "ipv4:": _is_ip(4), "ipv6:": _is_ip(6), "": _is_any}
