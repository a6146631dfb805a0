"""The settings that say where key-encryption keys come from: one source that seals,
and those that opened what was sealed before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.crypto.kek_source import KekSource, TokenPlace, open_keks
from caracal_grpc.crypto.key_encryption import Keks
from caracal_grpc.settings.checked import Checked, Problems

_SOURCES: Final = ("kek", "kek_command", "kek_pkcs11_label")
_TOKEN: Final = ("kek_pkcs11_module", "kek_pkcs11_token", "kek_pkcs11_pin_file")


class KekPart(Checked):
    """Where key-encryption keys are. Exactly one of `kek_file`, `kek`, `kek_command` and
    `kek_pkcs11_label` is set.
    """

    kek: SecretStr | None = Field(
        None, description="that key itself, from the environment, which then forgets it"
    )
    kek_command: str = Field(
        "", description="a command that prints that key, run once and without a shell"
    )
    kek_pkcs11_module: Path | None = Field(
        None, description="the shared library of a PKCS#11 token that holds that key"
    )
    kek_pkcs11_token: str = Field("", description="the label of the token")
    kek_pkcs11_label: str = Field("", description="the label of the AES-256 key in the token")
    kek_pkcs11_pin_file: Path | None = Field(
        None, description="a file that holds the PIN of the token, mode 0600"
    )
    kek_file: Path | None = Field(
        None,
        validate_default=True,
        description="a file with the 32-byte key-encryption key that seals private keys, unless "
        "that is in the variable CARACAL_KEK or one of the others says where it is",
    )
    kek_previous_file: list[str] = Field(
        [],
        description="files of keys that opened what was sealed before, besides one in the "
        "variable CARACAL_KEK_PREVIOUS; see keys reseal",
    )
    kek_previous: SecretStr | None = Field(
        None, description="such a key itself, from the environment, which then forgets it"
    )
    kek_previous_command: str = Field("", description="a command that prints such a key")
    kek_pkcs11_previous_label: list[str] = Field([], description="labels of such keys in the token")

    @field_validator("kek_file")
    @classmethod
    def _one_source(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        """The fields before this one are the other sources."""
        given = [name for name in _SOURCES if info.data.get(name)] + ["kek_file"] * bool(value)
        if not given:
            raise ValueError("is needed, or one other source of the key-encryption key")
        if len(given) > 1:
            raise ValueError(f"is one source too many beside {given[0]}; set one of them")
        return value

    def open_keks(self) -> Keks:
        """The key-encryption keys; blocks while commands run and a module answers.

        Raises `FIELD_INVALID` naming the setting.
        """
        return open_keks(self._current(), tuple(self._previous()), self._token_place())

    def problems(self) -> Problems:
        """What no single field shows."""
        wanted = bool(self.kek_pkcs11_label or self.kek_pkcs11_previous_label)
        apart = [name for name in _TOKEN if bool(getattr(self, name)) != wanted]
        text = "and the label of a key in the token go together"
        return [*super().problems(), *((name, text) for name in apart)]

    @property
    def kek_setting(self) -> str:
        """The setting that says where the key is that seals."""
        return next((name for name in _SOURCES if getattr(self, name)), "kek_file")

    def _current(self) -> KekSource:
        return KekSource(
            self.kek_setting,
            self.kek_file,
            _plain(self.kek),
            self.kek_command,
            self.kek_pkcs11_label,
        )

    def _previous(self) -> Iterator[KekSource]:
        for path in self.kek_previous_file:
            yield KekSource("kek_previous_file", file=Path(path))
        if self.kek_previous is not None:
            yield KekSource("kek_previous", value=_plain(self.kek_previous))
        if self.kek_previous_command:
            yield KekSource("kek_previous_command", command=self.kek_previous_command)
        for label in self.kek_pkcs11_previous_label:
            yield KekSource("kek_pkcs11_previous_label", label=label)

    def _token_place(self) -> TokenPlace | None:
        if not self.kek_pkcs11_label and not self.kek_pkcs11_previous_label:
            return None
        if self.kek_pkcs11_module is None or self.kek_pkcs11_pin_file is None:
            raise field_invalid("kek_pkcs11_module", "and kek_pkcs11_pin_file are needed")
        return TokenPlace(self.kek_pkcs11_module, self.kek_pkcs11_token, self.kek_pkcs11_pin_file)


def _plain(value: SecretStr | None) -> str | None:
    return value.get_secret_value() if value is not None else None
