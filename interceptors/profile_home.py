"""Profiles by name: files in the user's configuration home, and what a text means as one of them.

A name holds no dot and no slash; whatever does is a path. So `CARACAL_PROFILE=./shop` and
`/etc/caracal/shop.json` are files wherever they are, and `shop` is the stored profile of that name.
"""

from __future__ import annotations

import os
import re
import shlex
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid

_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,127}")


def is_profile_name(text: str) -> bool:
    """Whether a profile can be stored under this name."""
    return _NAME.fullmatch(text) is not None


def config_home(environment: Mapping[str, str] | None = None) -> Path:
    """`caracal-grpc` in the user's configuration home (XDG base directories).

    `environment` is that of the process unless given.
    """
    home = (os.environ if environment is None else environment).get("XDG_CONFIG_HOME", "")
    # A relative one is to be ignored, says the specification.
    base = Path(home) if home.startswith("/") else _user_home() / ".config"
    return base / "caracal-grpc"


def _user_home() -> Path:
    try:
        return Path.home()
    except RuntimeError as exc:
        raise field_invalid("HOME", "is not set, and this user has none; name a file") from exc


def profile_folder(environment: Mapping[str, str] | None = None) -> Path:
    """Where stored profiles are."""
    return config_home(environment) / "profiles"


def profile_file(name: str, environment: Mapping[str, str] | None = None) -> Path:
    """The file of the stored profile `name`; raises `FIELD_INVALID` for what is no name."""
    if not is_profile_name(name):
        raise field_invalid(
            "profile", "must be named by 1 to 128 of a-z, 0-9 and hyphen, starting with a letter"
        )
    return profile_folder(environment) / f"{name}.json"


def locate_profile(text: str, environment: Mapping[str, str] | None = None) -> Path:
    """The file that `text` means: a stored profile by its name, else a path.

    A stored profile wins over a file of that name in the working directory. Raises `FIELD_INVALID`
    when others than the owner may look into the folder of the stored ones.
    """
    if not is_profile_name(text):
        return Path(text)
    stored = profile_file(text, environment)
    if stored.exists():
        require_private_folder(stored.parent)
        return stored
    if Path(text).exists():
        return Path(text)
    raise field_invalid(text, f"is neither a file nor a stored profile ({stored} is not there)")


def require_private_folder(folder: Path) -> None:
    """Raises `FIELD_INVALID`, with what to run, unless `folder` is its owner's alone."""
    try:
        mode = folder.stat().st_mode
    except OSError as exc:
        raise _unreadable(folder) from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        shown = f"{stat.S_IMODE(mode):04o}"
        run = f"chmod 700 {shlex.quote(str(folder))}"
        raise field_invalid(
            str(folder), f"has mode {shown} and must be its owner's alone; run: {run}"
        )


def _unreadable(folder: Path) -> CaracalError:
    return field_invalid(str(folder), "cannot be read; check its owner")
