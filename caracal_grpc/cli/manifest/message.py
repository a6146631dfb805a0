"""What a manifest declares, on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from caracal_grpc.cli.manifest.shape import Application, Settings, Shape
from caracal_grpc.v1 import application_pb2, resource_pb2, zone_pb2


def message_of(shape: Shape, modules: Mapping[str, str], tests: Mapping[str, str]) -> zone_pb2.Zone:
    """The declared zone; settings and a policy that nothing is said about are not set."""
    said = shape.model_fields_set
    policy, settings = None, None
    if said & {"grants", "policy"}:
        policy = zone_pb2.Policy(
            grants=[zone_pb2.Grant(**each.model_dump()) for each in shape.grants],
            modules=_modules(modules),
            tests=_modules(tests),
        )
    if "settings" in said:
        settings = _settings(shape.settings)
    return zone_pb2.Zone(
        name=shape.zone,
        applications=[_application(each) for each in shape.applications],
        resources=[resource_pb2.Resource(**each.model_dump()) for each in shape.resources],
        policy=policy,
        settings=settings,
        issuers=[zone_pb2.Issuer(**each.model_dump()) for each in shape.issuers],
        proof_systems=[zone_pb2.Issuer(**each.model_dump()) for each in shape.proof_systems],
        webhooks=[zone_pb2.Webhook(**each.model_dump()) for each in shape.webhooks],
        workload_issuers=[zone_pb2.Issuer(**each.model_dump()) for each in shape.workload_issuers],
    )


def _modules(sources: Mapping[str, str]) -> list[zone_pb2.PolicyModule]:
    return [zone_pb2.PolicyModule(name=name, source=source) for name, source in sources.items()]


def _application(declared: Application) -> application_pb2.Application:
    return application_pb2.Application(
        name=declared.name,
        labels=declared.labels,
        ceiling=[application_pb2.Ceiling(**each.model_dump()) for each in declared.ceiling],
        identities=[
            application_pb2.WorkloadIdentity(**each.model_dump(exclude_defaults=True))
            for each in declared.identities
        ],
        jwks=declared.jwks,
    )


def _settings(declared: Settings) -> zone_pb2.ZoneSettings:
    visibility = f"CHAIN_VISIBILITY_{declared.chain_visibility.upper()}"
    return zone_pb2.ZoneSettings(**declared.model_dump() | {"chain_visibility": visibility})
