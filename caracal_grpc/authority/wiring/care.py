"""What operators look after: keys, the ledger, trials of policy, diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from caracal_grpc.authority.audit.audit import Audit
from caracal_grpc.authority.audit.edge_decisions import EdgeDecisions
from caracal_grpc.authority.audit.proofs import AuditProofs
from caracal_grpc.authority.audit.proving import Proving
from caracal_grpc.authority.audit.pruning import DailyPruning
from caracal_grpc.authority.audit.reading import Reading
from caracal_grpc.authority.audit.retention import Retention
from caracal_grpc.authority.audit.sweeping import Sweeping
from caracal_grpc.authority.audit.witnesses import Witnesses
from caracal_grpc.authority.diagnosis.diagnosis import Diagnostics
from caracal_grpc.authority.diagnosis.ground import CertificateSource, Parts
from caracal_grpc.authority.explaining.explaining import Explaining
from caracal_grpc.authority.keys.care import KeyCare
from caracal_grpc.authority.keys.keys import Keys
from caracal_grpc.authority.keys.signers import Signers
from caracal_grpc.authority.policies.shadowing import Shadowing
from caracal_grpc.authority.state.ownership import Ownership
from caracal_grpc.authority.trials.candidates import Candidates
from caracal_grpc.authority.trials.trials import Trials
from caracal_grpc.authority.wiring.edges import EdgeParts
from caracal_grpc.authority.wiring.ground import Ground
from caracal_grpc.authority.wiring.mandates import MandateParts
from caracal_grpc.authority.wiring.policies import PolicyParts
from caracal_grpc.ledger.notes.cosignature import WitnessKey


@dataclass(frozen=True, slots=True)
class CareParts:
    """The parts that look after what is there."""

    keys: Keys
    key_care: KeyCare
    reading: Reading
    retention: Retention
    daily_pruning: DailyPruning
    explaining: Explaining
    edge_decisions: EdgeDecisions
    trials: Trials
    diagnostics: Diagnostics
    proving: Proving


def open_care(
    on: Ground,
    policies: PolicyParts,
    mandates: MandateParts,
    edges: EdgeParts,
    certificate: CertificateSource,
    witnesses: Sequence[WitnessKey],
) -> CareParts:
    """What operators look after: keys, the ledger, trials of policy, diagnosis."""
    store, state, keyring, recorder = on.store, on.state, on.keyring, on.recorder
    keys = Keys(store, state, keyring, recorder, on.clock, on.ids)
    signers = Signers(state, keyring)
    candidates = Candidates(state, policies.versions, on.engine)
    proving = _open_proving(on, signers, witnesses)
    retention = on.owned(Retention(on.ledger, state, recorder, on.clock, on.ids))
    ownership = Ownership(store, state, edges.replicas.own, edges.replicas.live)
    return CareParts(
        keys,
        on.owned(KeyCare(store, state, keyring, keys, recorder, edges.replicas)),
        on.owned(Reading(on.ledger, state, on.clock)),
        retention,
        on.owned(DailyPruning(retention, on.ledger, state, ownership)),
        Explaining(on.ledger, state, candidates, policies.versions, on.clock),
        EdgeDecisions(state, recorder, on.clock),
        _open_trials(on, policies, mandates, edges, candidates),
        Diagnostics(_looked_at(on, edges, signers, certificate, proving)),
        proving,
    )


def _open_proving(on: Ground, signers: Signers, witnesses: Sequence[WitnessKey]) -> Proving:
    ledger, state = on.ledger, on.state
    return Proving(
        Audit(ledger, state, signers),
        AuditProofs(ledger, state, signers),
        Witnesses(ledger, state, signers, on.clock, witnesses),
        on.owned(Sweeping(ledger, state, signers, on.clock)),
    )


def _open_trials(
    on: Ground,
    policies: PolicyParts,
    mandates: MandateParts,
    edges: EdgeParts,
    candidates: Candidates,
) -> Trials:
    state, versions = on.state, policies.versions
    shadowing = on.owned(Shadowing(on.store, state, versions, policies.shadows, on.recorder))
    own = edges.replicas.own
    return Trials.over(on.ledger, state, mandates.decider, candidates, shadowing, on.clock, own)


def _looked_at(
    on: Ground,
    edges: EdgeParts,
    signers: Signers,
    certificate: CertificateSource,
    proving: Proving,
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
        proving.sweeping.integrities,
    )
