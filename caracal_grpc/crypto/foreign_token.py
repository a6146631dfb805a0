"""A token of another issuer (a JWT, RFC 7519): taken apart, then held against its keys."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.limits import MAX_FOREIGN_TOKEN
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto import base64url, strict_json
from caracal_grpc.crypto.foreign_keys import ForeignKey, ForeignKeys
from caracal_grpc.crypto.header import is_kid

PLAIN_TYPES: Final = frozenset({"", "jwt", "application/jwt"})
"""What `typ` may say, in lower case. Access tokens, logout tokens and security events of the same
issuer say what they are, so that nobody takes them for a word about who a user is (RFC 8725 section
3.11)."""

_READ: Final = frozenset({"alg", "kid", "typ"})


@dataclass(frozen=True, slots=True)
class ForeignToken:
    """A well-formed token. `claimed` is what it says, whoever wrote it: `claims` is the way to it.

    Of the header only `alg`, `kid` and `typ` are read. What else it holds, such as a key or the URL
    of one, has no part in anything, and `extra` are the names of that; but an extension that must
    be understood is refused. `typ` is in lower case, empty for none.
    """

    algorithm: str
    kid: str
    typ: str
    extra: frozenset[str]
    claimed: Mapping[str, Any] = field(repr=False)
    _signed: bytes = field(repr=False)
    _signature: bytes = field(repr=False)

    @classmethod
    def read(cls, token: str, types: Collection[str] = PLAIN_TYPES) -> ForeignToken:
        """Takes a compact JWS apart (RFC 7515 section 7.1), whose `typ` is one of `types`.

        Raises `MANDATE_MALFORMED`.
        """
        if not isinstance(token, str) or len(token) > MAX_FOREIGN_TOKEN or not token.isascii():
            raise malformed(f"it is not ascii text of at most {MAX_FOREIGN_TOKEN} characters")
        parts = token.split(".", 3)
        try:
            head, body, signature = (base64url.decode(part) for part in parts)
            header, claimed = strict_json.read_object(head), strict_json.read_object(body)
        except (ValueError, RecursionError) as exc:
            raise malformed("it is not a header, claims and a signature in base64url") from exc
        algorithm, kid, typ = _required(header, types)
        signed = token.rpartition(".")[0].encode("ascii")
        extra = frozenset(header) - _READ
        return cls(algorithm, kid, typ, extra, claimed, signed, signature)

    def claims(self, keys: ForeignKeys, algorithms: Collection[str]) -> Mapping[str, Any]:
        """What the token says, when the one key of `keys` that it can be of has signed it.

        Raises `MANDATE_MALFORMED` for another algorithm, `KEY_UNKNOWN`,
        `MANDATE_SIGNATURE_INVALID`. What it claims is not judged here.
        """
        self.require_algorithm(algorithms)
        key = keys.find(self.algorithm, self.kid)
        if key is None:
            text = "the issuer has no such key for the token; obtain a new one"
            raise CaracalError(Reason.KEY_UNKNOWN, text)
        if not key.verifies(self.algorithm, self._signed, self._signature):
            text = "the signature of the token does not hold; obtain a new one"
            raise CaracalError(Reason.MANDATE_SIGNATURE_INVALID, text)
        return self.claimed

    def is_of(self, key: ForeignKey) -> bool:
        """Whether `key` has signed the token, which may name it, or no key at all."""
        fits = key.fits(self.algorithm, self.kid)
        return fits and key.verifies(self.algorithm, self._signed, self._signature)

    def require_algorithm(self, algorithms: Collection[str]) -> None:
        """Raises `MANDATE_MALFORMED` unless the token is signed by one of `algorithms`."""
        if self.algorithm not in algorithms:
            raise malformed(f"its algorithm is not one of {', '.join(algorithms)}")


def _required(header: Mapping[str, Any], types: Collection[str]) -> tuple[str, str, str]:
    algorithm, kid, typ = header.get("alg"), header.get("kid", ""), header.get("typ", "")
    if not isinstance(algorithm, str):
        raise malformed("its header has no alg")
    if "crit" in header:  # RFC 7515 section 4.1.11
        raise malformed("its header asks for an extension")
    if kid != "" and not is_kid(kid):
        raise malformed("its header has no usable kid")
    if not isinstance(typ, str) or typ.lower() not in types:
        raise malformed("its header has another typ than JWT")
    return algorithm, kid, typ.lower()


def malformed(what: str) -> CaracalError:
    """The refusal of a foreign token whose form is wrong: `what` completes the sentence."""
    text = f"the token of the issuer cannot be read: {what}"
    return CaracalError(Reason.MANDATE_MALFORMED, text)
