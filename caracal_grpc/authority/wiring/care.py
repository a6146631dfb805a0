"""What operators look after: keys, the ledger, trials of policy, diagnosis."""

from __future__ import annotations

from dataclasses import dataclass

from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions
from caracal_grpc.authority.diagnosis.diagnosis import Diagnostics
from caracal_grpc.authority.diagnosis.ground import CertificateSource, Parts
from caracal_grpc.authority.keys.care import KeyCare
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.policies.shadowing import Shadowing
from caracal_grpc.authority.trials.candidates import Candidates
from caracal_grpc.authority.trials.trials import Trials
from caracal_grpc.authority.wiring.edges import EdgeParts
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.wiring.mandates import MandateParts
from caracal_grpc.authority.wiring.policies import PolicyParts


@dataclass(frozen=True, slots=True)
class CareParts:
    """The parts that look after what is there."""

    keys: Keys
    key_care: KeyCare
    audit: Audit
    edge_decisions: EdgeDecisions
    trials: Trials
    diagnostics: Diagnostics


def open_care(
    on: Ground,
    policies: PolicyParts,
    mandates: MandateParts,
    edges: EdgeParts,
    certificate: CertificateSource,
) -> CareParts:
    """What operators look after: keys, the ledger, trials of policy, diagnosis."""
    store, state, keyring, recorder = on.store, on.state, on.keyring, on.recorder
    keys = Keys(store, state, keyring, recorder, on.clock, on.ids)
    signers = Signers(state, keyring)
    return CareParts(
        keys,
        on.owned(KeyCare(store, state, keyring, keys, recorder, edges.replicas)),
        Audit(on.ledger, state, signers, on.clock),
        EdgeDecisions(state, recorder, on.clock),
        _open_trials(on, policies, mandates, edges),
        Diagnostics(_looked_at(on, edges, signers, certificate)),
    )


def _open_trials(
    on: Ground, policies: PolicyParts, mandates: MandateParts, edges: EdgeParts
) -> Trials:
    state, versions = on.state, policies.versions
    shadowing = on.owned(Shadowing(on.store, state, versions, policies.shadows, on.recorder))
    candidates = Candidates(state, versions, on.engine)
    own = edges.replicas.own
    return Trials.over(on.ledger, state, mandates.decider, candidates, shadowing, on.clock, own)


def _looked_at(
    on: Ground, edges: EdgeParts, signers: Signers, certificate: CertificateSource
) -> Parts:
    return Parts(
        on.store,
        on.state,
        on.keyring,
        on.ledger,
        on.recorder,
        signers,
        edges.replicas,
        edges.feed,
        edges.loads,
        on.clock,
        certificate,
    )
