"""The credentials of what stands behind gateways."""

from __future__ import annotations

from caracal_grpc.authority.exchange.presented import PresentedMandates
from caracal_grpc.authority.upstreams.kind import upstream_kind
from caracal_grpc.authority.upstreams.release import Releasing
from caracal_grpc.authority.upstreams.upstreams import Upstreams
from caracal_grpc.authority.wiring.ground import Ground


def open_upstreams(on: Ground, presented: PresentedMandates) -> Upstreams:
    """The credentials of what stands behind gateways."""
    vault = on.keyring.vault
    return Upstreams(
        upstream_kind(vault, on.ids),
        Releasing(on.state, vault, presented, on.recorder, on.clock),
    )
