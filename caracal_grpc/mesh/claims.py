"""What a request says that nobody has verified: who calls, and that it is another request.

A guard takes claims of identity away from its handler. A proxy hands headers on to servers of every
kind, so that here they go in each spelling, and with them what makes some servers serve another
request than the one that was judged.
"""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Final

from caracal_grpc.interceptors.context.inbound import IDENTITY_METADATA, Inbound
from caracal_grpc.mesh.answers.identity import NAMES
from caracal_grpc.mesh.headers import Entries, Headers, as_variable

OVERRIDES: Final = frozenset(
    {
        "forwarded",
        "x-forwarded-host",
        "x-forwarded-method",
        "x-forwarded-prefix",
        "x-forwarded-uri",
        "x-host",
        "x-http-host-override",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-original-host",
        "x-original-method",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-auth-failure-mode-allowed",
        "x-envoy-original-dst-host",
        "x-envoy-original-path",
    }
)
"""Names by which some servers take a request for another one than that which was judged, or some
proxies send it elsewhere."""

_ODD: Final = re.compile(r"[^a-z0-9-]")
_VARIABLES: Final = frozenset(map(as_variable, OVERRIDES | IDENTITY_METADATA))


def untrusted(headers: Headers, inbound: Inbound) -> frozenset[str]:
    """The names of what an upstream must not see of `headers`, and of all that could be ours.

    `inbound` is made of the same headers.
    """
    gone = _misleading(headers.names)
    if inbound.stripped:
        gone |= headers.names - {name for name, _ in inbound.metadata}
    return NAMES | gone if gone else NAMES


def _misleading(names: AbstractSet[str]) -> AbstractSet[str]:
    """Those of `names` that say what another request is, or who calls, however they are spelt."""
    if _ODD.search("".join(names)) is None:
        return names & OVERRIDES
    return {name for name in names if as_variable(name) in _VARIABLES}


def rewritten(headers: Headers, inbound: Inbound) -> Entries:
    """The headers of which only a part was a claim, without that part."""
    if not inbound.stripped:
        return ()
    had = set(headers)
    return tuple(entry for entry in inbound.metadata if entry not in had)
