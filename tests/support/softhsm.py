"""A PKCS#11 token in software (SoftHSM 2), in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pkcs11
import pytest

from caracal_grpc.crypto.kek_source import TokenPlace

MODULES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
TOKEN: Final = "caracal"
PIN: Final = "4711"
MISSING: Final = "SoftHSM is missing; install it with: apt-get install softhsm2"


@dataclass(frozen=True)
class SoftHsm:
    """A token that is there for as long as the tests run. A module is loaded once a process, so
    every test has the same token, and keys of its own.
    """

    module: Path
    folder: Path

    @property
    def pin_file(self) -> Path:
        """The file with the PIN."""
        return self.folder / "pin"

    @property
    def place(self) -> TokenPlace:
        """Where the token is, as settings say it."""
        return TokenPlace(self.module, TOKEN, self.pin_file)

    def new_key(self, bits: int = 256) -> str:
        """The label of a fresh AES key, which cannot be taken out of the token."""
        label = uuid4().hex
        template = {pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False}
        with self._opened() as session:
            session.generate_key(
                pkcs11.KeyType.AES, bits, label=label, store=True, template=template
            )
        return label

    def destroy(self, label: str) -> None:
        """Takes a key out of the token, for good."""
        with self._opened() as session:
            session.get_key(label=label).destroy()

    def _opened(self) -> Any:
        token = pkcs11.lib(str(self.module)).get_token(token_label=TOKEN)
        try:
            return token.open(rw=True, user_pin=PIN)
        except pkcs11.exceptions.UserAlreadyLoggedIn:
            return token.open(rw=True)


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftHsm]:
    """The token; fails where SoftHSM is not installed."""
    module = next((Path(each) for each in MODULES if Path(each).exists()), None)
    tool = shutil.which("softhsm2-util")
    if module is None or tool is None:
        pytest.fail(MISSING)
    folder = tmp_path_factory.mktemp("softhsm")
    tokens, config, pin = folder / "tokens", folder / "softhsm2.conf", folder / "pin"
    tokens.mkdir()
    config.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    pin.write_text(f"{PIN}\n")
    pin.chmod(0o600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOFTHSM2_CONF", str(config))
        made = ("--init-token", "--free", "--label", TOKEN, "--pin", PIN, "--so-pin", "0815")
        subprocess.run([tool, *made], check=True, capture_output=True, env=dict(os.environ))
        yield SoftHsm(module, folder)
