"""Profiles of applications: each a file of mode 0600, never printed, replaced only on purpose."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from caracal_grpc.cli.context import Target
from caracal_grpc.cli.errors import CliError, ExitCode, usage
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.interceptors.profile import Profile

_NO_PROOF: Final[Mapping[str, Any]] = {
    "client_secret": "",
    "client_assertion_file": None,
    "client_key_file": None,
}


@dataclass(frozen=True, slots=True)
class Folder:
    """Where the profiles of one zone go."""

    path: Path
    zone: str

    def file(self, application: str) -> Path:
        """The profile of `application`."""
        return self.path / f"{self.zone}-{application}.json"

    def prepare(self, applications: Iterable[str]) -> None:
        """Makes sure that the profile of each can be written, before anything is made."""
        names = list(applications)
        taken = [str(self.file(name)) for name in names if self.file(name).exists()]
        if taken:
            text = f"{taken[0]} exists and is not replaced"
            raise usage(f"{text}; move it away or choose another --credentials folder")
        if not names:
            return
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise usage(f"--credentials {self.path} cannot be used: {exc.strerror}") from exc
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise usage(f"--credentials {self.path} cannot be written to; choose another folder")

    def replace(self, target: Target, issuer: str, credential: Any) -> Path:
        """Writes the profile of a further secret over that of the one before, in one step.

        What else the profile says stays, but for the id of an application that was made anew.
        Raises `CliError` saying how to try again.
        """
        name = credential.application_name
        file = self.file(name)
        made = self._of(target, issuer, credential)
        try:
            if file.exists():
                proof = {**_NO_PROOF, "client_secret": credential.client_secret}
                made = replace(
                    Profile.load(file), application_id=credential.application_id, **proof
                )
            made.save(file)
        except CaracalError as error:
            text = f"secret {credential.id} was made, but the profile {file} cannot be written"
            rest = f"correct that, make another, and run: credential delete {credential.id}"
            raise CliError(ExitCode.UNAVAILABLE, f"{text}; {rest}") from error
        return file

    def require_own(self, application: str, issuer: str) -> None:
        """Makes sure that the profile of `application`, if there is one, can take a new secret.

        One of another authority, whose zones have another `issuer`, is not overwritten.
        """
        file = self.file(application)
        if not file.exists():
            self.prepare([application])
            return
        try:
            found = Profile.load(file)
        except CaracalError as error:
            raise usage(f"{file} is no profile to put a secret in: {error.message}") from error
        own = (issuer, self.zone, application)
        if (found.issuer, found.zone, found.application_name) != own:
            text = f"{file} is the profile of another application, or of another authority"
            raise usage(f"{text}; choose another --credentials folder")

    def write(self, target: Target, issuer: str, credential: Any) -> Path:
        """Writes the profile of one credential; raises `CliError` saying how to make a new one."""
        profile = self._of(target, issuer, credential)
        name = credential.application_name
        file = self.file(name)
        if file.exists():
            file = self.path / f"{self.zone}-{name}-{credential.application_id}.json"
        try:
            profile.save(file)
        except CaracalError as error:
            text = f"application {name} was made, but its profile {file} cannot be written"
            rest = f"make another secret with credential create --application {name}"
            raise CliError(ExitCode.UNAVAILABLE, f"{text}; {rest}") from error
        return file

    def write_all(
        self, target: Target, issuer: str, credentials: Iterable[Any]
    ) -> list[tuple[str, Path]]:
        """The profile of each, by its application; raises `CliError` naming all that are lost.

        One that cannot be written keeps no other from it: their secrets are nowhere else.
        """
        written: list[tuple[str, Path]] = []
        lost: list[str] = []
        for each in credentials:
            try:
                written.append((each.application_name, self.write(target, issuer, each)))
            except CliError as error:
                lost.extend(error.lines)
        if lost:
            raise CliError(ExitCode.UNAVAILABLE, *lost)
        return written

    def describe(self, target: Target, issuer: str, application: Any, **proof: str) -> Path:
        """Writes the profile of an application that has no secret; raises `CliError`.

        `proof` are the settings that say what it proves itself by, in the place of those of the
        profile in use. A file that is there is not replaced.
        """
        self.prepare([application.name])
        file = self.file(application.name)
        try:
            self._profile(target, issuer, application.id, application.name, **proof).save(file)
        except CaracalError as error:
            raise usage(error.message) from error
        return file

    def _of(self, target: Target, issuer: str, credential: Any) -> Profile:
        return self._profile(
            target,
            issuer,
            credential.application_id,
            credential.application_name,
            client_secret=credential.client_secret,
        )

    def _profile(
        self, target: Target, issuer: str, application: str, name: str, **proof: str
    ) -> Profile:
        """As of whoever calls, but for who it is of, and for what proves that."""
        own: dict[str, Any] = {**_NO_PROOF, "cert_file": None, "key_file": None, **proof}
        return replace(
            target.profile,
            zone=self.zone,
            issuer=issuer,
            application_id=application,
            application_name=name,
            **own,
        )
