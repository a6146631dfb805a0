"""A unix socket that only one process serves, and only its own user can reach."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from typing import Final

from caracal_grpc.core.errors import field_invalid

_FOLDER_MODE: Final = 0o700
_SOCKET_MODE: Final = 0o600
_OTHERS: Final = 0o077


class SocketPlace:
    """Where a unix socket is made: a folder of ours that others cannot enter.

    gRPC takes away what is at the path, even the socket of a server that runs; so the one that
    serves holds a lock beside it, for as long as it lives.
    """

    def __init__(self, path: Path) -> None:
        """Makes the folder when it is not there, and takes the lock; raises `FIELD_INVALID`."""
        self.path = path
        _require_private(path.parent, path.name)
        if path.exists() and not path.is_socket():
            raise field_invalid("listen", f"{path} is there already and is no socket")
        self._lock = _locked(path.with_name(f"{path.name}.lock"))

    def close_to_others(self) -> None:
        """Takes from everybody else the right to connect, once the socket is there."""
        self.path.chmod(_SOCKET_MODE)

    def close(self) -> None:
        """Lets go of the lock; the file stays, since another may have it open by now."""
        os.close(self._lock)


def _require_private(folder: Path, socket: str) -> None:
    try:
        folder.mkdir(_FOLDER_MODE, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise field_invalid("listen", f"{folder} cannot be used: {error.strerror}") from error
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & _OTHERS:
        own = folder / "caracal" / socket
        text = f"{folder} is not ours alone; say unix:{own}, whose folder is then made for us only"
        raise field_invalid("listen", text)


def _locked(path: Path) -> int:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise field_invalid("listen", f"{path} cannot be made: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        text = f"{path.with_suffix('')} is served by another process; end that one first"
        raise field_invalid("listen", text) from error
    return descriptor
