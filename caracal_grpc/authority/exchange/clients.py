"""Client authentication: which application is calling, proven."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.authority.state.recorder import Recorder
from caracal_grpc.authority.state.state import State
from caracal_grpc.authority.workloads.assertion import Assertion, method_of
from caracal_grpc.authority.workloads.proof import Proof
from caracal_grpc.authority.workloads.workloads import Workloads
from caracal_grpc.core.application import Application
from caracal_grpc.core.entry import plain_text
from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.peer import Peer
from caracal_grpc.core.ports import Clock
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.workload import Shown
from caracal_grpc.core.zone import Zone
from caracal_grpc.crypto.system import secret_matches

PROOF_CAUSE: Final = "proof_cause"
"""The detail of an entry that says what was wrong with an assertion."""

FAILED_AUTH_RATE: Final = 20.0
FAILED_AUTH_BURST: Final = 200.0
"""Failed authentications of one zone, each an entry of its ledger; zones that are none are one."""
FAILED_AUTH: Final = "too many failed authentications; wait and check the credential"


@dataclass(frozen=True, slots=True)
class Client:
    """An authenticated application, and the peer that authenticated as it."""

    application: Application
    peer: Peer


class Clients:
    """Authenticates clients, by whichever one thing they show."""

    def __init__(
        self, state: State, workloads: Workloads, recorder: Recorder, clock: Clock
    ) -> None:
        self._state = state
        self._workloads = workloads
        self._recorder = recorder
        self._clock = clock
        self._failures = Buckets(
            lambda: Bucket(clock, FAILED_AUTH_RATE, FAILED_AUTH_BURST, FAILED_AUTH)
        )

    async def admit(self, zone: str, application: str, proof: Proof, kind: str) -> Client:
        """The same as `authenticate` for what is no exchange: a refusal is an entry of type `kind`.

        Raises `AUTHORITY_STALE` and `AUDIT_UNAVAILABLE`, too.
        """
        self._state.require_fresh()
        try:
            return await self.authenticate(zone, application, proof)
        except CaracalError as refusal:
            if refusal.reason is Reason.RATE_LIMITED or self._state.find_zone(zone) is None:
                raise
            audit_id = await self._refused(zone, proof, refusal, kind)
            refusal.metadata["audit_id"] = audit_id
            raise

    async def _refused(self, zone: str, proof: Proof, refusal: CaracalError, kind: str) -> str:
        """Records a refusal with the method that was tried, and what was wrong with its proof."""
        peer, cause = tried(proof), proof_cause(refusal)
        return await self._recorder.record(
            self._recorder.new_id(),
            zone,
            kind,
            "deny",
            reason=refusal.reason.value,
            peer=plain_text(peer.address),
            details={**peer.to_details(), **({PROOF_CAUSE: cause} if cause else {})},
        )

    async def authenticate(self, zone: str, application: str, proof: Proof) -> Client:
        """The application of `zone` that `proof` proves; raises `CLIENT_AUTH_FAILED`.

        Within a zone, an unknown application, a wrong proof, one that expired or was used, and a
        disabled application read the same, so that none can be told from another; with a secret
        they cost the same, too. What was wrong with an assertion is the cause of the refusal, for
        the ledger. An unknown zone has no ledger, so that its refusal names no entry: that a zone
        exists is public, as its keys are.

        Raises `RATE_LIMITED` when too many fail, and when one application shows more assertions of
        its own key than are counted; nothing is to be recorded of that;
        `ISSUER_UNAVAILABLE` when the keys of who vouches for the client cannot be had, whoever it
        may be; and `STORE_UNAVAILABLE`.
        """
        try:
            return await self._authenticated(zone, application, proof)
        except CaracalError as refusal:
            if refusal.reason is Reason.RATE_LIMITED:
                raise
            known = self._state.find_zone(zone)
            self._failures.take(known.name if known else "")
            if refusal.code == "UNAVAILABLE":  # that says nothing of the proof
                raise
            raise _failed() from refusal

    def living(self, zone: str, application: str) -> Application:
        """The application, unless it is unknown or disabled; raises `CLIENT_AUTH_FAILED`."""
        found = self._found(zone, application)
        if found is None or found.disabled or found.id in self._state.dead(zone):
            raise _failed()
        return found

    async def _authenticated(self, zone: str, application: str, proof: Proof) -> Client:
        if proof.peer.unclear or (proof.secret is not None and proof.assertion is not None):
            raise _failed()
        if proof.secret is not None:
            found = self._by_secret(zone, application, proof.secret)
        elif proof.assertion is not None:
            return await self._by_assertion(zone, application, proof, proof.assertion)
        else:
            found = self._shown(zone, application, proof.peer.shown)
        return Client(found, tried(proof))

    def _by_secret(self, zone: str, application: str, secret: str) -> Application:
        """As much work for one that is not there as for any."""
        found = self._found(zone, application)
        living = found.living(self._clock.now()) if found else ()
        matches = secret_matches(secret, [each.digest for each in living])
        if not matches:
            raise _failed()
        return self.living(zone, application)

    async def _by_assertion(self, zone: str, application: str, proof: Proof, text: str) -> Client:
        home, assertion, peer = self._home(zone), Assertion.read(text), tried(proof)
        if assertion.method == "own_key":
            before = self.living(zone, application)
            await self._workloads.own(home, before, assertion, proof.token_url)
            found = self.living(zone, application)  # things may have changed meanwhile
            if found.jwks != before.jwks:
                raise _failed()
            return Client(found, peer)
        shown = await self._workloads.shown(home, assertion)
        found = self._shown(zone, application, shown)
        vouched = replace(
            peer, spiffe_id=shown.spiffe_id or peer.spiffe_id, kubernetes=shown.kubernetes
        )
        return Client(found, vouched)

    def _shown(self, zone: str, application: str, shown: Shown) -> Application:
        found = self.living(zone, application)
        if found.identity_of(shown) is None:
            raise _failed()
        return found

    def _home(self, zone: str) -> Zone:
        found = self._state.find_zone(zone)
        if found is None:
            raise _failed()
        return found

    def _found(self, zone: str, application: str) -> Application | None:
        return self._state.application(zone, application) if self._state.find_zone(zone) else None


def tried(proof: Proof) -> Peer:
    """The peer of a proof, and how it tries to authenticate."""
    return replace(proof.peer, method=method_of(proof.secret, proof.assertion))


def proof_cause(refusal: CaracalError) -> str:
    """What was wrong with the assertion of who is refused, for the ledger alone; empty for none."""
    cause = refusal.__cause__
    if not isinstance(cause, CaracalError) or cause.reason is refusal.reason:
        return ""
    return cause.reason.value


def _failed() -> CaracalError:
    return CaracalError(
        Reason.CLIENT_AUTH_FAILED,
        "the application is unknown or disabled, or its proof is wrong; check the profile",
    )
