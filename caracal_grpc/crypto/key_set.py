"""The public keys of a zone or an application, by `kid`: ES256 and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from jose.backends.cryptography_backend import CryptographyECKey
from jose.exceptions import JOSEError

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto import base64url, es256
from caracal_grpc.crypto.header import ALGORITHM, encoded_header, is_kid

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey

MAX_KEYS: Final = 64
"""Keys in one set that is read. The authority, which has those of every zone, makes larger ones."""

_EXPECTED: Final = {"kty": "EC", "crv": "P-256", "alg": ALGORITHM, "use": "sig"}
_COORDINATES: Final = ("x", "y")
_COORDINATE_BYTES: Final = 32  # RFC 7518 section 6.2.1.2: the full width, leading zeros included


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """One public key with its name; equal when name and point are equal."""

    kid: str
    x: str = field(repr=False)
    y: str = field(repr=False)
    _point: EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, Any], path: str = "key") -> VerifyingKey:
        """The key in an RFC 7517 object; raises `FIELD_INVALID` naming the member under `path`.

        `kid`, `kty`, `crv`, `x`, `y`, `alg` and `use` must be there; others are ignored, except
        that a private key is refused.
        """
        _require_members(jwk, path)
        point = {name: jwk[name] for name in ("kty", "crv", *_COORDINATES)}
        try:
            key = CryptographyECKey(point, ALGORITHM).prepared_key
        except (JOSEError, ValueError) as exc:
            raise field_invalid(path, "x and y must be a point of the curve P-256") from exc
        return cls(jwk["kid"], jwk["x"], jwk["y"], key)

    @property
    def jwk(self) -> dict[str, str]:
        """The key as an RFC 7517 object."""
        return {**_EXPECTED, "kid": self.kid, "x": self.x, "y": self.y}

    def verifies(self, data: bytes, signature: bytes) -> bool:
        """Whether `signature` (r and s, 64 bytes) is this key's over `data`, by ES256 alone."""
        return es256.verifies(self._point, data, signature)


def _require_members(jwk: Mapping[str, Any], path: str) -> None:
    """Raises `FIELD_INVALID` for the first member of `jwk` that is missing or wrong."""
    if not is_kid(jwk.get("kid")):
        raise field_invalid(f"{path}.kid", "must be 1 to 128 visible ascii characters")
    for name, expected in _EXPECTED.items():
        if jwk.get(name) != expected:
            raise field_invalid(f"{path}.{name}", f"must be {expected}")
    if "d" in jwk:
        raise field_invalid(f"{path}.d", "is a private key; send the public members only")
    for name in _COORDINATES:
        if not _is_coordinate(jwk.get(name)):
            raise field_invalid(f"{path}.{name}", "must be 32 bytes in base64url without padding")


def _is_coordinate(value: object) -> bool:
    try:
        return isinstance(value, str) and len(base64url.decode(value)) == _COORDINATE_BYTES
    except ValueError:
        return False


class KeySet(Mapping[str, VerifyingKey]):
    """An immutable mapping of `kid` to key; equal to a set with the same keys in any order."""

    __slots__ = ("_by_header", "_keys")

    def __init__(self, keys: Iterable[VerifyingKey] = ()) -> None:
        by_kid: dict[str, VerifyingKey] = {}
        for index, key in enumerate(keys):
            if key.kid in by_kid:
                raise field_invalid(f"keys[{index}].kid", "is used by an earlier key of the set")
            by_kid[key.kid] = key
        self._keys = MappingProxyType(by_kid)
        self._by_header = {encoded_header(kid): key for kid, key in by_kid.items()}

    @classmethod
    def from_jwks(cls, jwks: Mapping[str, Any]) -> KeySet:
        """The set in an RFC 7517 section 5 object; raises `FIELD_INVALID` for any unfit key."""
        entries = jwks.get("keys")
        if not isinstance(entries, list | tuple) or len(entries) > MAX_KEYS:
            raise field_invalid("keys", f"must be a list of at most {MAX_KEYS} keys")
        return cls(_read_key(entry, index) for index, entry in enumerate(entries))

    def to_jwks(self) -> dict[str, list[dict[str, str]]]:
        """The set as an RFC 7517 section 5 object, sorted by `kid`."""
        return {"keys": [self._keys[kid].jwk for kid in sorted(self._keys)]}

    def by_header(self, segment: str) -> VerifyingKey | None:
        """The key whose own header segment is exactly `segment`, or `None`.

        Those segments are computed when the set is made, so one lookup stands for decoding and
        checking the header of every token that `jws.sign` wrote.
        """
        return self._by_header.get(segment)

    def __getitem__(self, kid: str) -> VerifyingKey:
        return self._keys[kid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __eq__(self, other: object) -> bool:
        return self._keys == other._keys if isinstance(other, KeySet) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._keys.values()))

    def __repr__(self) -> str:
        return f"KeySet({', '.join(sorted(self._keys))})"


def _read_key(entry: object, index: int) -> VerifyingKey:
    path = f"keys[{index}]"
    if not isinstance(entry, Mapping):
        raise field_invalid(path, "must be a json web key")
    return VerifyingKey.from_jwk(entry, path)
