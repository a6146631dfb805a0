"""PolicyService: versions of policies, from the first check to the last rollback."""

from __future__ import annotations

from typing import Any, Final

import grpc.aio

from caracal_grpc.authority.policies.activations import Activations
from caracal_grpc.authority.policies.catalogue import Catalogue
from caracal_grpc.authority.policies.version import require_version
from caracal_grpc.authority.trials.trials import Trials
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.limits import DEFAULT_PAGE, MAX_PAGE
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import policy_render, render, zone_parse
from caracal_grpc.services.policy_trials import PolicyTrials
from caracal_grpc.v1 import policy_pb2, policy_service_pb2, policy_service_pb2_grpc

_MAX_DESCRIPTION: Final = 200

Context = grpc.aio.ServicerContext[Any, Any]


class PolicyServicer(PolicyTrials, policy_service_pb2_grpc.PolicyServiceServicer):
    """Parses, calls the policies, renders."""

    def __init__(self, catalogue: Catalogue, activations: Activations, trials: Trials) -> None:
        super().__init__(trials)
        self._catalogue = catalogue
        self._activations = activations

    async def Validate(
        self, request: policy_service_pb2.PolicyServiceValidateRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceValidateResponse:
        """See `PolicyService.Validate` in the proto."""
        zone, content = render.zone_name(request.zone), zone_parse.policy("policy", request.policy)
        judged = await self._catalogue.validate(current_mandate(), zone, content)
        return policy_service_pb2.PolicyServiceValidateResponse(
            findings=map(policy_render.finding, judged.report.findings),
            tests=map(policy_render.tested, judged.report.tests),
            valid=bool(judged.version),
            version=judged.version,
        )

    async def Create(
        self, request: policy_service_pb2.PolicyServiceCreateRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceCreateResponse:
        """See `PolicyService.Create` in the proto."""
        zone, content = render.zone_name(request.zone), zone_parse.policy("policy", request.policy)
        if len(request.description) > _MAX_DESCRIPTION:
            raise field_invalid("description", f"must be at most {_MAX_DESCRIPTION} characters")
        made = await self._catalogue.create(current_mandate(), zone, content, request.description)
        return policy_service_pb2.PolicyServiceCreateResponse(
            version=policy_render.version(made.described),
            revision=made.revision,
            audit_id=made.audit_id,
        )

    async def Get(
        self, request: policy_service_pb2.PolicyServiceGetRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceGetResponse:
        """See `PolicyService.Get` in the proto."""
        zone, version = render.zone_name(request.zone), _optional("version", request.version)
        described, content = await self._catalogue.get(current_mandate(), zone, version)
        return policy_service_pb2.PolicyServiceGetResponse(
            version=policy_render.version(described),
            policy=policy_render.policy(content, described.version.id),
        )

    async def List(
        self, request: policy_service_pb2.PolicyServiceListRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceListResponse:
        """See `PolicyService.List` in the proto."""
        size = render.page("page_size", request.page_size, DEFAULT_PAGE, MAX_PAGE)
        zone, token = render.zone_name(request.zone), request.page_token
        page = self._catalogue.list(current_mandate(), zone, size, token)
        return policy_service_pb2.PolicyServiceListResponse(
            versions=map(policy_render.version, page.items), next_page_token=page.next_token
        )

    async def Delete(
        self, request: policy_service_pb2.PolicyServiceDeleteRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceDeleteResponse:
        """See `PolicyService.Delete` in the proto."""
        revision, audit_id = await self._catalogue.delete(current_mandate(), *_place(request))
        return policy_service_pb2.PolicyServiceDeleteResponse(revision=revision, audit_id=audit_id)

    async def Activate(
        self, request: policy_service_pb2.PolicyServiceActivateRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceActivateResponse:
        """See `PolicyService.Activate` in the proto."""
        expected = _optional("expected_active", request.expected_active)
        done = await self._activations.activate(current_mandate(), *_place(request), expected)
        return policy_service_pb2.PolicyServiceActivateResponse(
            previous=done.previous, revision=done.revision, audit_id=done.audit_id
        )

    async def Rollback(
        self, request: policy_service_pb2.PolicyServiceRollbackRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceRollbackResponse:
        """See `PolicyService.Rollback` in the proto."""
        zone = render.zone_name(request.zone)
        expected = _optional("expected_active", request.expected_active)
        done = await self._activations.rollback(current_mandate(), zone, expected)
        return policy_service_pb2.PolicyServiceRollbackResponse(
            version=done.version,
            previous=done.previous,
            revision=done.revision,
            audit_id=done.audit_id,
        )

    async def GetStatus(
        self, request: policy_service_pb2.PolicyServiceGetStatusRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceGetStatusResponse:
        """See `PolicyService.GetStatus` in the proto."""
        status = self._activations.status(current_mandate(), render.zone_name(request.zone))
        return policy_service_pb2.PolicyServiceGetStatusResponse(
            active=status.policy.active,
            shadow=status.policy.shadow,
            activations=[
                policy_pb2.PolicyActivation(
                    version=each.version, time=render.timestamp(each.at), application_id=each.by
                )
                for each in status.policy.activations
            ],
            replicas=map(policy_render.load, status.loads),
            frozen=status.frozen,
        )


def _place(request: Any) -> tuple[str, str]:
    """The zone and the version that a request names."""
    return render.zone_name(request.zone), require_version("version", request.version)


def _optional(field: str, value: str) -> str:
    return value and require_version(field, value)
