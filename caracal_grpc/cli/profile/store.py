"""The profiles that a user has stored by name, and which of them is in use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError

if TYPE_CHECKING:
    from caracal_grpc.interceptors.profile import Profile

_MAX_NAME: Final = 256


@dataclass(frozen=True, slots=True)
class ProfileStore:
    """`profiles/NAME.json` in `home`, files 0600 in a folder 0700; the file `current` names one."""

    home: Path

    @classmethod
    def of_user(cls) -> ProfileStore:
        """That of the user who runs this; raises `CliError` for a user without a home."""
        from caracal_grpc.interceptors.profile_home import config_home

        try:
            return cls(config_home())
        except CaracalError as error:
            raise CliError(ExitCode.CREDENTIAL, error.message) from error

    def file(self, name: str) -> Path:
        """The file of the profile `name`; raises `CliError` for what is no name."""
        from caracal_grpc.interceptors.profile_home import is_profile_name

        if not is_profile_name(name):
            text = "a profile is named by 1 to 128 of a-z, 0-9 and hyphen, starting with a letter"
            raise usage(f"{text}; {name} is no such name")
        return self.home / "profiles" / f"{name}.json"

    def names(self) -> list[str]:
        """The names of the stored profiles; raises `CliError` when others may look at them."""
        from caracal_grpc.interceptors.profile_home import is_profile_name

        if not self._folder.is_dir():
            return []
        self._require_private()
        found = (each.stem for each in self._folder.glob("*.json"))
        return sorted(filter(is_profile_name, found))

    def existing(self, name: str) -> Path:
        """The file of a profile that is stored; raises `CliError` naming those that are."""
        file = self.file(name)
        if not file.exists():
            known = ", ".join(self.names()) or "none"
            raise CliError(ExitCode.STATE, f"no profile is stored as {name}; stored are: {known}")
        self._require_private()
        return file

    def current(self) -> str:
        """The name of the profile in use, empty when there is none."""
        try:
            with self._current.open(encoding="utf-8", errors="replace") as file:
                return file.read(_MAX_NAME).strip()
        except FileNotFoundError:
            return ""
        except OSError as exc:
            raise CliError(
                ExitCode.CREDENTIAL, f"{self._current} cannot be read: {exc.strerror}"
            ) from exc

    def current_file(self) -> Path | None:
        """The file of the profile in use, if there is one; raises `CliError` when it is gone."""
        name = self.current()
        if not name:
            return None
        try:
            return self.existing(name)
        except CliError as error:
            text = f"the profile in use cannot be had: {error}; run caracal-grpc profile use NAME"
            raise CliError(ExitCode.CREDENTIAL, text) from error

    def use(self, name: str) -> None:
        """Makes a stored profile the one in use; raises `CliError`."""
        from caracal_grpc.crypto.secret_file import write_secret_file

        self.existing(name)
        _told(lambda: write_secret_file(self._current, f"{name}\n"))

    def require_free(self, name: str, profile: Profile, *, force: bool) -> None:
        """Raises `CliError` when another identity is stored as `name`, unless that is forced."""
        from caracal_grpc.interceptors.profile import Profile

        file = self.file(name)
        if force or not file.exists():
            return
        try:
            there = Profile.load(file)
            same = (there.issuer, there.application_id) == (profile.issuer, profile.application_id)
        except CaracalError:
            same = False
        if not same:
            raise CliError(
                ExitCode.STATE,
                f"another profile is stored as {name}; give --name, or --force to replace it",
            )

    def save(self, name: str, profile: Profile) -> Path:
        """Stores a profile under `name`, whatever was there; raises `CliError`."""
        file = self.file(name)
        try:
            for folder in (self.home, self._folder):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise usage(f"{self._folder} cannot be made: {exc.strerror}") from exc
        self._require_private()
        _told(lambda: profile.save(file))
        return file

    def remove(self, name: str) -> Path:
        """Removes a stored profile, which is in use no more; raises `CliError`."""
        file = self.existing(name)
        try:
            file.unlink()
            if self.current() == name:
                self._current.unlink()
        except OSError as exc:
            raise usage(f"{file} cannot be removed: {exc.strerror}") from exc
        return file

    @property
    def _folder(self) -> Path:
        return self.home / "profiles"

    @property
    def _current(self) -> Path:
        return self.home / "current"

    def _require_private(self) -> None:
        from caracal_grpc.interceptors.profile_home import require_private_folder

        try:
            require_private_folder(self._folder)
        except CaracalError as error:
            raise CliError(ExitCode.CREDENTIAL, error.message) from error


def _told(write: Callable[[], None]) -> None:
    try:
        write()
    except CaracalError as error:
        raise usage(error.message) from error
