"""A key-encryption key inside of a PKCS#11 token: an AES-256 key that never leaves it.

The token encrypts data keys itself, with AES-GCM where it knows that and by AES key wrap (RFC 3394)
where it does not. Loads only where the extra `pkcs11` is installed.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pkcs11
from pkcs11.exceptions import (
    MultipleTokensReturned,
    NoSuchToken,
    PinIncorrect,
    PinInvalid,
    PinLenRange,
    PinLocked,
    PKCS11Error,
    UserAlreadyLoggedIn,
)

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.crypto.kek import NONCE_BYTES
from caracal_grpc.crypto.key_encryption import DATA_KEY_BYTES, kek_unavailable

MECHANISMS: Final = (pkcs11.Mechanism.AES_GCM, pkcs11.Mechanism.AES_KEY_WRAP)
"""What is used, the first that the token has."""

_TAG_BITS: Final = 128
_OPENLY: Final = {
    pkcs11.Attribute.TOKEN: False,
    pkcs11.Attribute.SENSITIVE: False,
    pkcs11.Attribute.EXTRACTABLE: True,
}
"""How a token holds a data key while it wraps it: the data key is ours and not its own."""

Ask = Callable[[Any, Any], bytes]
"""Asks something of a session and a key in it."""


class OpenToken:
    """A session with a token, for all keys of it that this process uses. Blocks; any thread.

    One session serves them, one call after the other, since a login is the process's and ends with
    whichever session is closed first. A session that is lost is opened again, once for each call.
    Raises `FIELD_INVALID` naming the setting that is wrong.
    """

    def __init__(self, module: Path, label: str, pin: str) -> None:
        self._module = module
        self._label = label
        self._pin = pin
        self._lock = threading.Lock()
        self._keys: dict[str, Any] = {}
        try:
            self._session = self._open()
        except PKCS11Error as exc:
            raise self._refused(exc) from exc

    def key(self, label: str, wanted: tuple[Any, ...] = MECHANISMS) -> Pkcs11Kek:
        """The AES-256 key with that label, used by the first mechanism wanted that there is."""
        known = self._session.token.slot.get_mechanisms()
        mechanism = next((each for each in wanted if each in known), None)
        if mechanism is None:
            raise field_invalid("kek_pkcs11_token", "knows neither AES-GCM nor AES key wrap")
        way = _Gcm() if mechanism is pkcs11.Mechanism.AES_GCM else _KeyWrap()
        return Pkcs11Kek(self, label, way, self.ask(label, way.name))

    def ask(self, label: str, ask: Ask, refused: Exception | None = None) -> bytes:
        """What the token answers about its key; `FIELD_INVALID` when it has no such key.

        Raises `refused` when it says no although it is there, and `STORE_UNAVAILABLE` otherwise.
        """
        with self._lock:
            try:
                return ask(self._session, self._key(label))
            except PKCS11Error:
                self._reopen()
            try:
                return ask(self._session, self._key(label))
            except PKCS11Error as exc:
                raise refused or kek_unavailable() from exc

    def close(self) -> None:
        """Ends the session; again is no error."""
        with self._lock, contextlib.suppress(PKCS11Error):
            self._session.close()

    def _open(self) -> Any:
        token = pkcs11.lib(str(self._module)).get_token(token_label=self._label)
        try:
            return token.open(user_pin=self._pin)
        except UserAlreadyLoggedIn:  # by another session of this process, which serves as well
            return token.open()

    def _reopen(self) -> None:
        self._keys.clear()
        with contextlib.suppress(PKCS11Error):
            self._session.close()
        try:
            self._session = self._open()
        except PKCS11Error as exc:
            raise kek_unavailable() from exc

    def _key(self, label: str) -> Any:
        if label not in self._keys:
            wanted = {
                pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
                pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
                pkcs11.Attribute.LABEL: label,
            }
            found = list(self._session.get_objects(wanted))
            if len(found) != 1 or found[0].key_length != 8 * DATA_KEY_BYTES:
                raise field_invalid(
                    "kek_pkcs11_label", f"{label} is not the label of one AES-256 key"
                )
            self._keys[label] = found[0]
        return self._keys[label]

    def _refused(self, error: PKCS11Error) -> CaracalError:
        if isinstance(error, NoSuchToken | MultipleTokensReturned):
            return field_invalid("kek_pkcs11_token", f"{self._label} is not the label of one token")
        if isinstance(error, PinIncorrect | PinInvalid | PinLenRange | PinLocked):
            return field_invalid("kek_pkcs11_pin_file", "does not hold the PIN of the token")
        return field_invalid("kek_pkcs11_module", f"{self._module} cannot be used; check the path")


@dataclass(frozen=True, slots=True)
class Pkcs11Kek:
    """One key of a token.

    Its id is what the key makes of a constant: the same in each token that it was copied to.
    """

    _token: OpenToken = field(repr=False)
    _label: str
    _way: _Gcm | _KeyWrap = field(repr=False)
    _name: bytes = field(repr=False)

    @property
    def kek_id(self) -> str:
        """See `KeyEncryption.kek_id`."""
        return hashlib.sha256(self._name).hexdigest()[:16]

    @property
    def local(self) -> bool:
        """Never: a token may block."""
        return False

    def wrap(self, data_key: bytes, context: bytes) -> bytes:
        """See `KeyEncryption.wrap`; the context is bound with AES-GCM only.

        The key is named anew: one that was put in its place would seal what the other cannot open.
        """

        def ask(session: Any, key: Any) -> bytes:
            if self._way.name(session, key) != self._name:
                raise kek_unavailable()
            return self._way.wrap(session, key, data_key, context)

        return self._token.ask(self._label, ask)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """See `KeyEncryption.unwrap`."""
        refused = ValueError("no data key of this key-encryption key")
        way = self._way
        return self._token.ask(
            self._label, lambda _, key: way.unwrap(key, wrapped, context), refused
        )

    def close(self) -> None:
        """Ends the session, which the token's other keys have, too."""
        self._token.close()


class _Gcm:
    """AES-GCM (NIST SP 800-38D), with a nonce of ours in front."""

    def wrap(self, _: Any, key: Any, data_key: bytes, context: bytes, nonce: bytes = b"") -> bytes:
        nonce = nonce or secrets.token_bytes(NONCE_BYTES)
        how = pkcs11.GCMParams(nonce, context, _TAG_BITS)
        made = key.encrypt(data_key, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=how)
        return nonce + bytes(made)

    def unwrap(self, key: Any, wrapped: bytes, context: bytes) -> bytes:
        how = pkcs11.GCMParams(wrapped[:NONCE_BYTES], context, _TAG_BITS)
        sealed = wrapped[NONCE_BYTES:]
        mechanism = pkcs11.Mechanism.AES_GCM
        return bytes(key.decrypt(sealed, mechanism=mechanism, mechanism_param=how))

    def name(self, session: Any, key: Any) -> bytes:
        # A nonce that a data key has once in 2^96; the result is only ever shown hashed.
        nonce = b"\xff" * NONCE_BYTES
        return self.wrap(
            session, key, bytes(DATA_KEY_BYTES), b"caracal key-encryption key id", nonce
        )


class _KeyWrap:
    """AES key wrap (RFC 3394), which knows no context and always makes the same of the same."""

    def wrap(self, session: Any, key: Any, data_key: bytes, _: bytes) -> bytes:
        made = session.create_object(
            {
                pkcs11.Attribute.CLASS: pkcs11.ObjectClass.SECRET_KEY,
                pkcs11.Attribute.KEY_TYPE: pkcs11.KeyType.AES,
                pkcs11.Attribute.VALUE: data_key,
                **_OPENLY,
            }
        )
        try:
            return bytes(key.wrap_key(made, mechanism=pkcs11.Mechanism.AES_KEY_WRAP))
        finally:
            made.destroy()

    def unwrap(self, key: Any, wrapped: bytes, _: bytes) -> bytes:
        opened = key.unwrap_key(
            pkcs11.ObjectClass.SECRET_KEY,
            pkcs11.KeyType.AES,
            wrapped,
            mechanism=pkcs11.Mechanism.AES_KEY_WRAP,
            template=_OPENLY,
        )
        try:
            return bytes(opened[pkcs11.Attribute.VALUE])
        finally:
            opened.destroy()

    def name(self, session: Any, key: Any) -> bytes:
        return self.wrap(session, key, bytes(DATA_KEY_BYTES), b"")
