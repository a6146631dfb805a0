"""What is known of who is at the other end of a connection, for policy and for the record."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from caracal_grpc.core.entry import MAX_ITEMS, Detail, plain_text
from caracal_grpc.core.workload import KubernetesIdentity, Shown

Method = Literal["", "secret", "own_key", "jwt_svid", "kubernetes", "certificate", "assertion"]
"""How a client authenticates; `assertion` is one of which nobody can say what it is."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer. What it only says of itself is not here: all of this is seen or proven.

    `address` is where its connection comes from. `spiffe_id`, `dns_names` and `thumbprint` are of
    the certificate of that connection, or of the one that a trusted proxy vouches for. `unclear` is
    that such a proxy vouches for what cannot be read in one way only: nobody authenticates there.

    `method` is how it authenticated, empty before that. By a JWT-SVID, `spiffe_id` is what that
    says; by a token of Kubernetes, `kubernetes` is.
    """

    address: str = ""
    spiffe_id: str = ""
    dns_names: tuple[str, ...] = ()
    thumbprint: str = ""
    unclear: bool = False
    kubernetes: KubernetesIdentity | None = None
    method: Method = ""

    @property
    def shown(self) -> Shown:
        """What its certificate proves it to be."""
        return Shown(self.spiffe_id, frozenset(self.dns_names), self.thumbprint)

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells it from another peer of the same application; empty when nothing does."""
        account = str(self.kubernetes) if self.kubernetes else ""
        facts = (self.spiffe_id, self.thumbprint, account, *self.dns_names)
        return (self.method, *facts) if any(facts) else ()

    def to_details(self) -> dict[str, Detail]:
        """What the ledger keeps of it: how it authenticated, or tried to, and what it is."""
        told: dict[str, Detail] = {
            "method": self.method,
            "spiffe_id": plain_text(self.spiffe_id),
            "dns_names": tuple(plain_text(each) for each in self.dns_names[:MAX_ITEMS]),
            "certificate": self.thumbprint,
            "kubernetes": plain_text(str(self.kubernetes or "")),
        }
        return {name: detail for name, detail in told.items() if detail}

    def to_input(self) -> dict[str, Any] | None:
        """`peer` in policy input; `None` when nothing is known of it, however it authenticated."""
        if replace(self, method="") == Peer():
            return None
        return {
            "address": self.address,
            "method": self.method,
            "spiffe_id": self.spiffe_id,
            "dns_names": list(self.dns_names),
            "thumbprint": self.thumbprint,
            "kubernetes": asdict(self.kubernetes) if self.kubernetes else None,
        }
