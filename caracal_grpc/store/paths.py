"""Where keys live in etcd: `/<prefix>/v1/<zone>/<kind>/<id>`, readable with etcdctl."""

from __future__ import annotations

from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final

from etcd3aio.kv import prefix_range_end

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.store import codec
from caracal_grpc.store.port import BEATS_ZONE, Key, Record

_PARTS: Final = 3


class UnreadableRecordError(Exception):
    """A key of ours whose bytes this version cannot read; it names the key, never the value."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The keys of one prefix, such as `caracal` or, with a namespace, `staging/caracal`."""

    prefix: str
    root: bytes = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", f"/{self.prefix}/v1/".encode())

    def of(self, key: Key) -> bytes:
        """The etcd key of `key`."""
        return self.root + f"{key.zone}/{key.kind}/{key.id}".encode()

    def beat(self, replica: str) -> bytes:
        """The etcd key that the watch of `replica` writes to prove that it is current."""
        return self.root + f"{BEATS_ZONE}/watch/{replica}".encode()

    def span(self, zone: str | None, kind: str | None) -> tuple[bytes, bytes]:
        """The narrowest range, first key and end, that holds all keys of `zone` and `kind`."""
        start = self.root
        if zone is not None:
            start += f"{zone}/".encode()
            if kind is not None:
                start += f"{kind}/".encode()
        return start, prefix_range_end(start)

    def parse(self, path: bytes) -> Key | None:
        """The key at `path`, or `None` for beats and for whatever others put under the prefix."""
        try:
            parts = path[len(self.root) :].decode().split("/")
            if len(parts) != _PARTS or parts[0] == BEATS_ZONE:
                return None
            return Key(intern(parts[0]), intern(parts[1]), parts[2])
        except (UnicodeDecodeError, CaracalError):
            return None

    def record(self, kv: Any) -> Record | None:
        """The record in an etcd key-value pair, or `None` when the key is not one of ours.

        Raises `UnreadableRecordError`: to skip what we cannot read could skip a revocation.
        """
        key = self.parse(kv.key)
        if key is None:
            return None
        try:
            return Record(key, codec.decode(key.kind, kv.value), kv.mod_revision)
        except codec.UnreadableError as error:
            raise UnreadableRecordError(f"{key.zone}/{key.kind}/{key.id} is {error}") from None
