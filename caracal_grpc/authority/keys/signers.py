"""Who signs the checkpoints of a zone's ledger, and under which name."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.keys.keyring import Keyring
from caracal_grpc.authority.state import places
from caracal_grpc.authority.state.state import State, not_found
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
        return CheckpointSigner(
            origin(ledger_issuer(self._state, zone)), self._keyring.ledger_key(zone)
        )


def ledger_issuer(state: State, zone: str) -> str:
    """The issuer of the zone that a ledger is of; raises `OBJECT_NOT_FOUND`.

    The ledger of a zone that was removed is still there, and its key says whose it is.
    """
    known = state.find_zone(zone)
    if known is not None:
        return known.issuer
    record = state.record(places.ledger_key_place(zone))
    if record is None:
        raise not_found("zone", zone)
    return str(record.value["issuer"])


def origin(issuer: str) -> str:
    """The name of a zone's ledger in its checkpoints: the issuer without its scheme."""
    return issuer.partition("://")[2]
