"""Every bound of the wire and of time in one place. Seconds and bytes unless the name says more."""

from __future__ import annotations

from typing import Final

LEEWAY: Final = 5
"""The one clock leeway of every verifier."""

DEFAULT_TTL: Final = 300
MIN_TTL: Final = 5
MAX_RESOURCE_TTL: Final = 900
MAX_SESSION_TTL: Final = 3600
"""The longest life of a mandate with `use=session`, hence of any mandate."""

DEFAULT_MAX_STALENESS: Final = 10.0
MAX_STALENESS: Final = 60
"""The longest that a replica may be told to trust its view of the store."""

REVOCATION_TTL: Final = MAX_SESSION_TTL + MAX_STALENESS + 3 * LEEWAY
"""How long a revocation is remembered: longer than anything that it could kill is accepted.

A replica whose view lags may still issue for as long as its view is trusted, an edge accepts a
leeway longer, and the clocks of the two may each be off by as much.
"""

DEFAULT_MAX_HOPS: Final = 5
MAX_HOPS: Final = 10
DEFAULT_KEY_PUBLISH: Final = 15
MIN_KEY_PUBLISH: Final = 2
"""Less than two heartbeats of a feed would refuse good mandates at every hiccup."""
MAX_KEY_PUBLISH: Final = 86_400
MAX_JWKS_AGE: Final = 86_400
DEFAULT_KEY_ROTATE: Final = 30 * 86_400
MIN_KEY_ROTATE: Final = 3_600
MAX_KEY_ROTATE: Final = 365 * 86_400
MAX_LIVE_KEYS: Final = 32
"""Keys of one zone that verify at a time: every edge holds them all, and takes at most 64."""

MAX_TOKEN_BYTES: Final = 4096
MAX_METADATA_BYTES: Final = 6144
"""gRPC begins to drop metadata at random from 8 KiB (grpc/grpc#37852)."""

MAX_SESSION_LIFE: Final = 86_400
DEFAULT_SESSION_LIFE: Final = 3600
SESSION_RETENTION: Final = 86_400
"""How long an ended session stays readable in the store."""

SUSPENSION_RETENTION: Final = 30 * 86_400
"""How long a suspended service waits in the store to be resumed, when nothing else ends it."""

MAX_SESSION_DEPTH: Final = 10
MAX_SESSIONS: Final = 10_000
"""Live sessions that one application starts, for itself or by delegation; its standing one is none.

What it delegates counts for it and not for the receiver, whose places nobody else can take."""
MAX_CHILDREN: Final = 1_000
"""Live sessions below one that is not standing."""

MIN_LEASE: Final = 10
DEFAULT_LEASE: Final = 120
MAX_LEASE: Final = 3600
MAX_DELEGATION_LIFE: Final = 86_400

MIN_APPROVAL_TTL: Final = 60
DEFAULT_APPROVAL_TTL: Final = 900
MAX_APPROVAL_TTL: Final = 604_800
APPROVAL_RETENTION: Final = 86_400
"""How long a decided or expired approval stays readable in the store."""
MAX_REVIEWS: Final = 16
MAX_PENDING_APPROVALS: Final = 1_000
"""Of one application."""

MAX_ISSUERS: Final = 64
MAX_WEBHOOKS: Final = 16
MAX_JWKS_BYTES: Final = 65_536
DEFAULT_TOKEN_AGE: Final = 600
DEFAULT_WORKLOAD_TOKEN_AGE: Final = 3_600
"""A kubelet renews the token of a service account when 48 of its 60 minutes are over."""
MAX_TOKEN_AGE: Final = 86_400
MAX_FOREIGN_TOKEN: Final = 16_384
"""Characters of an ID token or a proof."""
MAX_USER_SUBJECT: Final = 255
"""Characters of a user's subject (OpenID Connect Core 1.0 section 2)."""
MAX_FALLEN: Final = 10_000
"""Sessions that one bulk revocation ends."""

MAX_IDENTITIES: Final = 16
"""What one application authenticates by, besides its secrets."""
MAX_SPIFFE_ID: Final = 2_048
"""Characters of a SPIFFE id (SPIFFE-ID section 2.3)."""
MAX_PATTERN_SEGMENTS: Final = 8
"""Segments in the path of a pattern of SPIFFE ids."""
MAX_CLIENT_JWKS: Final = 16_384
"""Characters of the public keys of one application."""
MAX_CLIENT_KEYS: Final = 16
MAX_ASSERTION_LIFE: Final = 3600
"""The longest that an assertion of an application's own key lives: what stock clients sign."""
SHORT_ASSERTION_LIFE: Final = 300
"""What such an assertion may live that does not say when it was made, and beyond which it counts as
several, since it is remembered for as long."""
MAX_JTI: Final = 256
"""Characters of the `jti` of such an assertion."""

MAX_LABELS: Final = 32
MAX_LABEL: Final = 64
MAX_SCOPES: Final = 64
MAX_ANY_SCOPES: Final = 8
"""Scopes of a rule of which one is enough: each that is not granted costs a caller an exchange."""

MAX_RESOURCES: Final = 10_000
MAX_APPLICATIONS: Final = 50_000
MAX_CEILING: Final = 64
MAX_REASON_TEXT: Final = 500
MAX_REQUEST_ID: Final = 128
MAX_DECISIONS: Final = 500
"""Decisions of an edge in one report."""

MAX_CONTEXT: Final = 16
MAX_CONTEXT_KEY: Final = 64
MAX_CONTEXT_VALUE: Final = 256
MAX_WATCHERS: Final = 10_000
MAX_WATCHERS_EACH: Final = 2_000
"""Edges of one application that one authority feeds."""

MAX_WAITS: Final = 100
"""Who wait at one authority until every edge has applied a revision."""
MAX_WAITS_EACH: Final = 10
"""Those of one application."""
MAX_ZONE_WAITS: Final = 64
"""Waits in one zone, at all replicas: each replica writes how far it is with each of them."""

MAX_RETENTION_DAYS: Final = 36_500
"""How long a zone may keep the entries of its ledger, unless it keeps them for ever."""
MIN_RETENTION: Final = 86_400
"""How old an entry is at least that is pruned."""
MAX_HOLDS: Final = 1_000
"""Legal holds of one zone."""
MAX_HOLD_REASON: Final = 256

MAX_READERS: Final = 64
"""Who read the ledger at one authority at the same time, each with a page in memory."""
MAX_READERS_EACH: Final = 16
"""Those of one application."""

DEFAULT_APPLICATION_RATE: Final = 1_000
MAX_APPLICATION_RATE: Final = 100_000
DEFAULT_ZONE_RATE: Final = 5_000
MAX_ZONE_RATE: Final = 1_000_000
"""Exchanges a second that one replica decides for an application, and for a zone."""

MAX_CREDENTIALS: Final = 4
"""Secrets of one application that live."""
MAX_UPSTREAMS: Final = 1_000
MAX_UPSTREAM_SECRET: Final = 4_096
"""Bytes of the secret of an upstream: a header of it is still one that everybody takes."""
RELEASE_LIFE: Final = 60
"""The longest that a gateway may use such a secret without asking again."""
MAX_POLICY_VERSIONS: Final = 50
MAX_PAGE: Final = 500
DEFAULT_PAGE: Final = 100

MAX_REQUEST: Final = 16 * 1024 * 1024
"""Bytes of a request that carries a policy. Twenty thousand grants fit."""
MAX_SHORT_REQUEST: Final = 1024 * 1024
"""Those of any other. Protobuf makes a second of work, and hundreds of megabytes, of 16 MiB."""
MAX_RECEIVED: Final = MAX_REQUEST + 4 * 1024 * 1024
"""Bytes that gRPC takes in; what is longer it refuses by itself, with no reason of ours."""
MAX_ANSWER: Final = 32 * 1024 * 1024
"""Bytes of one message that it answers with. Clients of gRPC take 4 MiB unless told otherwise."""

REQUEST_WINDOW: Final = 60
"""How long a repeated `request_id` answers with the same mandate."""

AUTHORITY_RESOURCE: Final = "resource://caracal"
AUTHORITY_ZONE: Final = "caracal"
AUTHORITY_SCOPES: Final = (
    "caracal:applications:read",
    "caracal:applications:write",
    "caracal:approvals:decide",
    "caracal:approvals:read",
    "caracal:approvals:release",
    "caracal:audit:cosign",
    "caracal:audit:read",
    "caracal:audit:record",
    "caracal:audit:retain",
    "caracal:credentials:read",
    "caracal:credentials:write",
    "caracal:delegations:create",
    "caracal:delegations:read",
    "caracal:delegations:revoke",
    "caracal:diagnostics:read",
    "caracal:feed:watch",
    "caracal:issuers:read",
    "caracal:issuers:write",
    "caracal:keys:compromise",
    "caracal:keys:read",
    "caracal:keys:reseal",
    "caracal:keys:rotate",
    "caracal:mandates:consume",
    "caracal:policies:activate",
    "caracal:policies:read",
    "caracal:policies:write",
    "caracal:proof_systems:read",
    "caracal:proof_systems:write",
    "caracal:resources:read",
    "caracal:resources:write",
    "caracal:revocations:read",
    "caracal:revocations:write",
    "caracal:sessions:admin",
    "caracal:sessions:read",
    "caracal:sessions:start",
    "caracal:sessions:terminate",
    "caracal:upstreams:read",
    "caracal:upstreams:use",
    "caracal:upstreams:write",
    "caracal:workload_issuers:read",
    "caracal:workload_issuers:write",
    "caracal:zones:freeze",
    "caracal:zones:read",
    "caracal:zones:write",
)
"""Every scope of the authority itself; the rules of its own methods use no other."""

AUTHORITY_OWN_SCOPES: Final = (
    "caracal:approvals:read",
    "caracal:approvals:release",
    "caracal:audit:record",
    "caracal:delegations:create",
    "caracal:delegations:read",
    "caracal:delegations:revoke",
    "caracal:feed:watch",
    "caracal:mandates:consume",
    "caracal:sessions:read",
    "caracal:sessions:start",
    "caracal:sessions:terminate",
)
"""What every application may ask of the authority under any policy of grants and any ceiling: to
hear what it must refuse, to consume what it was shown, to report what its edges decided, to manage
its own sessions and delegations, and to see its approvals through."""
