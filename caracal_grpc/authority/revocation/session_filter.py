"""Which sessions are meant: a filter whose parts must all hold."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.core.session import Session


@dataclass(frozen=True, slots=True)
class SessionFilter:
    """Parts that are empty or `None` ask for nothing; a filter of nothing else must not be used.

    `below` is the session that it, or one above it, must be. `created_before` is in seconds since
    the Unix epoch. An application's standing session is meant only below one that is named.
    """

    application: str = ""
    subject: str = ""
    label: str = ""
    below: str = ""
    created_before: float | None = None

    def fits(self, session: Session) -> bool:
        """Whether all parts hold of `session`; where it is in the tree is not asked."""
        return (
            (bool(self.below) or not session.standing)
            and self.application in {"", session.application}
            and self.subject in {"", session.subject}
            and (not self.label or self.label in session.labels)
            and (self.created_before is None or session.created_at < self.created_before)
        )

    def __bool__(self) -> bool:
        """Whether it asks for anything."""
        return self != SessionFilter()

    def __str__(self) -> str:
        """Its parts as a ledger entry holds them."""
        parts = {
            "application": self.application,
            "subject": self.subject,
            "label": self.label,
            "below": self.below,
            "created_before": "" if self.created_before is None else f"{self.created_before:.3f}",
        }
        return " ".join(f"{name}={value}" for name, value in parts.items() if value)
