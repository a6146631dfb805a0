"""What a method asks of its caller, and what an edge knows of the zone that it trusts."""

from __future__ import annotations

from dataclasses import dataclass, field

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import MAX_HOPS, MAX_SCOPES
from caracal_grpc.core.resource_template import ResourceTemplate, parse


@dataclass(frozen=True, slots=True)
class Rule:
    """The authority of one method, by its full path `/package.Service/Method`.

    A rule is either public and asks for nothing, or names a resource and at least one scope, in
    `scopes` or `any_scopes`; anything else raises `FIELD_INVALID`, so that a half-written rule
    never becomes an open door. What each part asks for is in `authority.proto`. `asks_more` is
    whether the verdict asks for anything besides `scopes`; a single use is not for it to see.
    `template` is `resource` as it is read when it depends on the request, `None` when it does not.
    """

    method: str
    resource: str = ""
    scopes: frozenset[str] = frozenset()
    public: bool = False
    public_reason: str = ""
    any_scopes: tuple[str, ...] = ()
    require_delegation: bool = False
    max_hops: int = 0
    chain_must_include: frozenset[str] = frozenset()
    bound: bool = False
    single_use: bool = False
    asks_more: bool = field(init=False, repr=False, compare=False)
    template: ResourceTemplate | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        template = parse(f"{self.method}.resource", self.resource)
        object.__setattr__(self, "template", template)
        narrowing = (self.require_delegation, self.max_hops, self.chain_must_include, self.bound)
        object.__setattr__(self, "asks_more", any((self.any_scopes, *narrowing)))
        named = bool(self.scopes or self.any_scopes)
        if self.public and (named or self.asks_more or self.single_use or self.resource):
            raise field_invalid(
                self.method, "a method is either public or asks for scopes or more; remove one"
            )
        if not self.public and not (self.resource and named):
            raise field_invalid(
                self.method, "must name a resource and at least one scope, or be public"
            )
        if not self.scopes.isdisjoint(self.any_scopes):
            raise field_invalid(
                f"{self.method}.any_scopes", "must have none of scopes, or it asks for nothing"
            )
        if len(self.scopes) + bool(self.any_scopes) > MAX_SCOPES:
            raise field_invalid(
                f"{self.method}.scopes",
                f"has more than {MAX_SCOPES}, with the one of any_scopes that is asked for besides",
            )
        if not 0 <= self.max_hops <= MAX_HOPS:
            raise field_invalid(f"{self.method}.max_hops", f"must be 0 to {MAX_HOPS}")

    @property
    def every_scope(self) -> frozenset[str]:
        """All scopes that it names, whether a mandate needs each of them or one of several."""
        return self.scopes.union(self.any_scopes)


@dataclass(frozen=True, slots=True)
class Trust:
    """What an edge knows of a zone apart from its keys: who may issue, for how long, how deep.

    Mandates that were issued before `issued_before`, in seconds since the Unix epoch, are dead.
    """

    zone: str
    issuer: str
    max_ttl: int
    max_hops: int
    issued_before: int = 0
