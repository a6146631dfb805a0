"""The credentials of upstreams: as a kind of object, and as what gateways are given."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.upstreams.kind import UpstreamKind
from caracal_grpc.authority.upstreams.release import Releasing


@dataclass(frozen=True, slots=True)
class Upstreams:
    """Both sides: standard methods go by `kind`, `releasing` is for gateways."""

    kind: UpstreamKind
    releasing: Releasing
