"""The guard of the authority's own API, by the rules of its protos and its own mandates."""

from __future__ import annotations

from functools import partial

from caracal_grpc.authority.revocation.view import AuthorityView
from caracal_grpc.authority.workloads.peers import Peers
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.guard.aio.guard import AioGuard
from caracal_grpc.interceptors.guard.gate import OnRefusal
from caracal_grpc.interceptors.guard.verifier import Verifier
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.services.peer import binding_of
from caracal_grpc.services.register import SERVICES


def own_guard(
    view: AuthorityView,
    peers: Peers,
    clock: Clock,
    max_staleness: float,
    on_refusal: OnRefusal,
) -> AioGuard:
    """The guard, which holds what is bound against the certificate that `peers` knows."""
    verifier = Verifier(view, clock=clock, use="session", max_staleness=max_staleness)
    rules = Rules.from_descriptors(*SERVICES)
    binding = partial(binding_of, peers)
    return AioGuard(view, rules, verifier, clock=clock, on_refusal=on_refusal, binding=binding)
