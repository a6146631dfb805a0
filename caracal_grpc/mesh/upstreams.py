"""Where the requests of the local application go, and what may be asked for there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.ids import family_of, require_resource_or_family
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.client import attachment
from caracal_grpc.mesh.question import bare_host

OnBehalf = Literal["required", "optional", "never"]
"""Whether requests act on behalf of the caller that the application is serving.

"required" refuses a request without a caller, "optional" acts as the workload itself then, and
"never" always does, whoever calls.
"""

ACTING: Final[dict[OnBehalf, attachment.OnBehalf]] = {
    "required": "exchange",
    "optional": "either",
    "never": "self",
}
"""What a channel of our interceptors calls each of them."""


_HOST_PORT: Final = re.compile(r"(?P<host>.+?)(?::[1-9][0-9]{0,4})?")


@dataclass(frozen=True, slots=True)
class Upstream:
    """One that the application calls by one of `hosts`: names in lower case, of every port unless
    they say one.

    A request there is given mandates for `resources`, which may be families, and for no other,
    whichever method it names. Raises `FIELD_INVALID`.
    """

    name: str
    hosts: frozenset[str]
    resources: frozenset[str]
    on_behalf: OnBehalf = "required"

    def __post_init__(self) -> None:
        place = f"upstreams.{self.name}"
        for host in self.hosts:
            if not _is_host(host):
                text = "each must be a host in lower case, or host:port"
                raise field_invalid(f"{place}.hosts", text)
        for resource in self.resources:
            require_resource_or_family(f"{place}.resources", resource)
        if not (self.hosts and self.resources):
            raise field_invalid(place, "must have a host and a resource")
        if self.on_behalf not in ACTING:
            raise field_invalid(f"{place}.on_behalf", f"must be one of {', '.join(ACTING)}")


def serves(resources: Collection[str], resource: str) -> bool:
    """Whether a party with `resources` serves this one, by its name or as one of a family."""
    return resource in resources or family_of(resource) in resources


def require_known_callers(upstreams: Iterable[Upstream], correlate: str | None) -> None:
    """Raises `FIELD_INVALID` for one that would take a caller who is not found for none."""
    for upstream in upstreams:
        if correlate is not None and upstream.on_behalf == "optional":
            raise field_invalid(
                f"upstreams.{upstream.name}.on_behalf",
                "cannot be optional with correlate: a caller who is not found would be taken for "
                "none; make it required, or never",
            )


def _is_host(text: str) -> bool:
    found = _HOST_PORT.fullmatch(text)
    try:
        return found is not None and bare_host(found["host"]) == found["host"]
    except CaracalError:
        return False


class Upstreams:
    """Upstreams by their hosts. A host that none of them has goes nowhere.

    One that has the port of a request, too, goes before one that has every port. A proxy that
    strips ports from hosts shows none.
    """

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        """Raises `FIELD_INVALID` when two have the same host."""
        self._by_host: dict[str, Upstream] = {}
        for upstream in upstreams:
            for host in sorted(upstream.hosts):
                other = self._by_host.setdefault(host, upstream)
                if other is not upstream:
                    text = f"has {host}, which {other.name} has, too"
                    raise field_invalid(f"upstreams.{upstream.name}.hosts", text)

    def __iter__(self) -> Iterator[Upstream]:
        return iter(dict.fromkeys(self._by_host.values()))

    def find(self, host: str, port: str = "") -> Upstream:
        """The one that has `host` at `port`; raises `METHOD_NOT_DECLARED` when none does."""
        found = self._by_host.get(f"{host}:{port}") or self._by_host.get(host)
        if found is None:
            raise CaracalError(
                Reason.METHOD_NOT_DECLARED,
                "no upstream has the host of the request; declare it in the configuration of the "
                "way out, or correct the host",
                metadata={"host": host},
            )
        return found
