"""Users: people whom a registered issuer knows, under an id that no two issuers can share."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from caracal_grpc.core.ids import USER, typeid_of

_VERSION_8: Final = 8


@dataclass(frozen=True, slots=True)
class User:
    """A person: the `issuer` URL that vouches for them, their `subject` there.

    `name` is `<name of the issuer in the zone>/<subject>`: what grants call them.
    """

    issuer: str
    subject: str
    name: str = field(default="", compare=False)

    @property
    def id(self) -> str:
        """The `sub` claim of mandates, `usr_…`.

        Two issuers may use the same subject for two people (RFC 7519 section 4.1.2), so it is made
        of both: a UUID of version 8 over their SHA-256 (RFC 9562 section 5.8).
        """
        digest = hashlib.sha256(f"{self.issuer}\n{self.subject}".encode()).digest()
        return typeid_of(USER, int.from_bytes(digest[:16], "big"), _VERSION_8)

    def to_claim(self) -> dict[str, str]:
        """The `sub_id` claim (RFC 9493 sections 3.2.4 and 4)."""
        return {"format": "iss_sub", "iss": self.issuer, "sub": self.subject}

    def to_value(self) -> dict[str, Any]:
        """The JSON form for the store."""
        return {"issuer": self.issuer, "subject": self.subject, "name": self.name}
