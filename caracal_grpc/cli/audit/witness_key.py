"""The key of a witness, in a file of its own that is made on first use."""

from __future__ import annotations

from base64 import b64decode, b64encode
from pathlib import Path
from typing import Final

from caracal_grpc.authority.keys.signers import CheckpointSigner
from caracal_grpc.cli.errors import usage
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.crypto.ledger_key import LedgerKey
from caracal_grpc.crypto.secret_file import read_secret_file, write_secret_file
from caracal_grpc.ledger.notes.cosignature import WitnessKey, witness_key
from caracal_grpc.ledger.notes.note import NoteError

_PREFIX: Final = "PRIVATE+KEY"
"""As the `note` package of Go writes a private key, for witnesses in other languages."""


def open_key(path: Path, name: str) -> CheckpointSigner:
    """The key in `path`, or a fresh one called `name` that is written there; raises `CliError`."""
    try:
        if not path.exists():
            signer = CheckpointSigner(name, LedgerKey.generate())
            WitnessKey.parse(str(witness_key(signer)))
            write_secret_file(path, _written(signer) + "\n")
            return signer
        return _parsed(read_secret_file(path))
    except NoteError as exc:
        raise usage(f"--name {name} is no name of a key: it has no spaces and no +") from exc
    except CaracalError as exc:
        raise usage(exc.message) from exc
    except ValueError as exc:
        raise usage(
            f"--key {path} must hold the private key of a witness, or not exist yet"
        ) from exc


def _written(signer: CheckpointSigner) -> str:
    key = witness_key(signer)
    seed = b64encode(key.TYPE + signer.key.seed).decode()
    return f"{_PREFIX}+{signer.name}+{key.key_id.hex()}+{seed}"


def _parsed(text: str) -> CheckpointSigner:
    """The signer that a written key is of; raises `ValueError`, `CaracalError`."""
    prefix, marker, name, key_id, encoded = text.split("+", 4)
    raw = b64decode(encoded, validate=True)
    if f"{prefix}+{marker}" != _PREFIX or raw[:1] != WitnessKey.TYPE:
        raise ValueError("is not the private key of a witness")
    signer = CheckpointSigner(name, LedgerKey.from_seed(raw[1:]))
    if witness_key(signer).key_id.hex() != key_id:
        raise ValueError("is a private key whose hash does not fit it")
    return signer
