"""How long the ledger keeps what: legal holds, and what became of what was pruned or erased."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.core.entry import MAX_INT, MAX_TEXT, plain_text
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import APPLICATION, SESSION, require_id
from caracal_grpc.core.limits import MAX_HOLD_REASON


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What must be neither pruned nor erased: entries that match all that is set, everything if
    nothing is. Raises `FIELD_INVALID`.

    `id` and `created` are the authority's; a hold that was not made yet has none. `subject` is whom
    they name, anywhere. `since` (inclusive), `until` (exclusive) and `created` are in milliseconds
    since the Unix epoch.
    """

    reason: str
    id: str = ""
    created: int = 0
    subject: str = ""
    application: str = ""
    session: str = ""
    since: int | None = None
    until: int | None = None

    def __post_init__(self) -> None:
        if not self.reason or plain_text(self.reason, MAX_HOLD_REASON) != self.reason:
            raise field_invalid("hold.reason", f"must be 1 to {MAX_HOLD_REASON} characters")
        if plain_text(self.subject) != self.subject:
            raise field_invalid("hold.subject", f"must be at most {MAX_TEXT} characters")
        if self.application:
            require_id("hold.application_id", self.application, APPLICATION)
        if self.session:
            require_id("hold.session_id", self.session, SESSION)
        for name, moment in (("since", self.since), ("until", self.until)):
            if moment is not None and not 0 <= moment <= MAX_INT:
                raise field_invalid(f"hold.{name}", "must be a time after 1970")
        if self.since is not None and self.until is not None and self.since >= self.until:
            raise field_invalid("hold.until", "must be later than since")


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many entries went, or would, and how many are held."""

    pruned: int = 0
    held: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        """Both together."""
        return Pruned(self.pruned + other.pruned, self.held + other.held)


@dataclass(frozen=True, slots=True)
class Erased:
    """How many entries lost what was personal of them, or would, how many are held, and how many
    cannot lose it, since it was hashed into the tree.
    """

    erased: int = 0
    held: int = 0
    unerasable: int = 0

    def __add__(self, other: Erased) -> Erased:
        """Both together."""
        return Erased(
            self.erased + other.erased,
            self.held + other.held,
            self.unerasable + other.unerasable,
        )
