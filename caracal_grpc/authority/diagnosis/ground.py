"""What the checks look at, for one caller and one zone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from caracal_grpc.authority.audit.integrity import Integrities
from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.policies.loads import Loads
from caracal_grpc.authority.revocation.feed import Feed
from caracal_grpc.authority.revocation.replicas import Replicas
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.zone import Zone
from caracal_grpc.ledger.port import Ledger
from caracal_grpc.store.port import Store

CertificateSource = Callable[[], bytes | None]
"""The certificate that the server shows, in PEM; `None` when it speaks plaintext."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the authority that checks look at."""

    store: Store
    state: State
    keyring: Keyring
    ledger: Ledger
    recorder: Recorder
    signers: Signers
    replicas: Replicas
    feed: Feed
    loads: Loads
    clock: Clock
    certificate: CertificateSource
    integrities: Integrities


@dataclass(frozen=True, slots=True)
class Ground:
    """Those parts, the caller, and the zone that is asked about."""

    parts: Parts
    caller: Mandate
    zone: Zone
