"""Who signs the checkpoints of a zone's ledger, and under which name."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state.state import State
from caracal_grpc.crypto.ledger_key import LedgerKey


@dataclass(frozen=True, slots=True)
class CheckpointSigner:
    """A zone's ledger key under the name of its ledger."""

    name: str
    key: LedgerKey

    @property
    def public(self) -> bytes:
        """The Ed25519 public key."""
        return self.key.public

    def sign(self, data: bytes) -> bytes:
        """The Ed25519 signature of `data`."""
        return self.key.sign(data)


class Signers:
    """Finds the checkpoint signer of a zone; the ledger calls it."""

    def __init__(self, state: State, keyring: Keyring) -> None:
        self._state = state
        self._keyring = keyring

    def __call__(self, zone: str) -> CheckpointSigner:
        """The signer; raises `OBJECT_NOT_FOUND` for a zone that does not exist."""
        issuer = self._state.zone(zone).issuer
        return CheckpointSigner(origin(issuer), self._keyring.ledger_key(zone))


def origin(issuer: str) -> str:
    """The name of a zone's ledger in its checkpoints: the issuer without its scheme."""
    return issuer.partition("://")[2]
