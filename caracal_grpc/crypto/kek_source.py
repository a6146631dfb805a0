"""Where a key-encryption key comes from: a file, the environment, a command or a PKCS#11 token."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.crypto.kek import Kek
from caracal_grpc.crypto.key_encryption import Keks, KeyEncryption
from caracal_grpc.crypto.secret_file import read_secret_file

MAX_OUTPUT: Final = 4096
"""Bytes that a command may print: a key in any of its forms is far shorter."""
COMMAND_SECONDS: Final = 30.0
OWN: Final = "CARACAL_"
"""What our own variables begin with, which no command inherits."""


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where a PKCS#11 token is: its module (a shared library), its label, the file of its PIN."""

    module: Path
    label: str
    pin_file: Path

    def open(self) -> Callable[[str], KeyEncryption]:
        """What opens keys of the token by their labels; blocks as long as the module needs.

        Raises `FIELD_INVALID` naming the setting.
        """
        try:
            from caracal_grpc.crypto.pkcs11_kek import OpenToken
        except ImportError as exc:
            text = "needs a library; run: pip install 'caracal-grpc[pkcs11]'"
            raise field_invalid("kek_pkcs11_module", text) from exc
        try:
            pin = read_secret_file(self.pin_file)
        except CaracalError as error:
            raise _named("kek_pkcs11_pin_file", error) from error
        return OpenToken(self.module, self.label, pin).key


@dataclass(frozen=True, slots=True)
class KekSource:
    """One place to get a key-encryption key from; exactly one of these is set.

    `setting` names it in refusals. `label` is that of a key in a PKCS#11 token.
    """

    setting: str
    file: Path | None = None
    value: str | None = field(default=None, repr=False)
    command: str = field(default="", repr=False)
    label: str = ""

    def open(self, token: Callable[[str], KeyEncryption] | None = None) -> KeyEncryption:
        """The key; blocks while a command runs or a module answers.

        `token` opens a key of the configured PKCS#11 token by its label. Raises `FIELD_INVALID`
        that names the setting.
        """
        try:
            if self.file is not None:
                return Kek.load(self.file)
            if self.value is not None:
                return Kek.read(self.value.encode("utf-8", "replace"), self.setting)
            if self.command:
                return Kek.read(output_of(self.command), self.setting)
        except CaracalError as error:
            raise _named(self.setting, error) from error
        if token is None:
            raise field_invalid(self.setting, "names no key; set where the key is")
        return token(self.label)


def open_keks(
    current: KekSource, previous: Sequence[KekSource] = (), place: TokenPlace | None = None
) -> Keks:
    """The keys of all sources; blocks as long as commands and modules need.

    Raises `FIELD_INVALID` naming the setting; nothing stays open then.
    """
    with contextlib.ExitStack() as closing:
        token = place.open() if place else None
        keys: list[KeyEncryption] = []
        for source in (current, *previous):
            keys.append(source.open(token))
            closing.callback(keys[-1].close)
        closing.pop_all()
    return Keks(keys[0], tuple(keys[1:]))


def _named(setting: str, error: CaracalError) -> CaracalError:
    violation = error.violations[0]
    named = "" if violation.field in {setting, "command"} else f"{violation.field} "
    return field_invalid(setting, f"{named}{violation.description}")


def output_of(command: str) -> bytes:
    """What `command` prints, run without a shell; raises `FIELD_INVALID` when it does not print it.

    It gets nothing on stdin, none of our variables and no open file of ours but stderr, so that it
    can say what is wrong. It has `COMMAND_SECONDS` and may print `MAX_OUTPUT` bytes; then it is
    killed, with all that it started.
    """
    try:
        arguments = shlex.split(command)
        process = subprocess.Popen(  # noqa: S603 - the operator's own command, without a shell
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if not name.startswith(OWN)},
            start_new_session=True,
        )
    except (OSError, ValueError, IndexError) as exc:
        raise field_invalid("command", "cannot be run; check that it is there") from exc
    end = time.monotonic() + COMMAND_SECONDS
    try:
        output = _read(process, end)
        code = process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired as exc:
        text = f"must print the key and end within {COMMAND_SECONDS:g} seconds, and print no more"
        raise field_invalid("command", text) from exc
    finally:
        _end(process)
    if code:
        raise field_invalid("command", f"ended with exit code {code}")
    return output


def _read(process: subprocess.Popen[bytes], end: float) -> bytes:
    """All that it prints until it closes its output; raises `TimeoutExpired` at `end`, a monotonic
    time, and for too much.
    """
    out: IO[bytes] | None = process.stdout
    if out is None:
        return b""
    os.set_blocking(out.fileno(), False)
    output = b""
    while time.monotonic() < end and len(output) <= MAX_OUTPUT:
        more = out.read(MAX_OUTPUT + 1)
        if more == b"":
            return output
        output += more or b""
        if more is None:
            time.sleep(0.01)
    raise subprocess.TimeoutExpired(process.args, COMMAND_SECONDS)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends what still runs of it: it leads a group of its own."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
