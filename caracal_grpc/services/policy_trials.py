"""The part of PolicyService that tries policies out: Simulate, Replay and the shadow."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc.aio

from caracal_grpc.authority.trials.candidates import Candidate
from caracal_grpc.authority.trials.replay import MAX_WINDOW, Progress
from caracal_grpc.authority.trials.simulation import Asked
from caracal_grpc.authority.trials.trials import Trials
from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import SESSION, require_id, require_resource
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services import render, zone_parse
from caracal_grpc.services.policy_trial_render import answer, difference, newest, rules
from caracal_grpc.v1 import policy_pb2, policy_service_pb2

Context = grpc.aio.ServicerContext[Any, Any]


class PolicyTrials:
    """Parses, calls the trials, renders."""

    def __init__(self, trials: Trials) -> None:
        self._trials = trials

    async def Simulate(
        self, request: policy_service_pb2.PolicyServiceSimulateRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceSimulateResponse:
        """See `PolicyService.Simulate` in the proto."""
        asked = _asked(request.question)
        simulated = await self._trials.simulation.simulate(
            current_mandate(), render.zone_name(request.zone), _candidate(request), asked
        )
        return policy_service_pb2.PolicyServiceSimulateResponse(
            answer=answer(simulated.answer),
            rules=rules(simulated),
            version=simulated.version,
            input_json=simulated.question,
        )

    async def Replay(
        self, request: policy_service_pb2.PolicyServiceReplayRequest, context: Context
    ) -> AsyncIterator[policy_service_pb2.PolicyServiceReplayResponse]:
        """See `PolicyService.Replay` in the proto."""
        zone = render.zone_name(request.zone)
        window = render.whole_seconds("window", request.window, MAX_WINDOW)
        told = self._trials.replays.replay(current_mandate(), zone, _candidate(request), window)
        async with aclosing(told):
            async for progress in told:
                yield _progress(progress)

    async def SetShadow(
        self, request: policy_service_pb2.PolicyServiceSetShadowRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceSetShadowResponse:
        """See `PolicyService.SetShadow` in the proto."""
        zone = render.zone_name(request.zone)
        done = await self._trials.shadowing.set(current_mandate(), zone, request.version)
        return policy_service_pb2.PolicyServiceSetShadowResponse(
            revision=done.revision, audit_id=done.audit_id
        )

    async def GetShadow(
        self, request: policy_service_pb2.PolicyServiceGetShadowRequest, context: Context
    ) -> policy_service_pb2.PolicyServiceGetShadowResponse:
        """See `PolicyService.GetShadow` in the proto."""
        zone = render.zone_name(request.zone)
        tally = self._trials.shadowing.tally(current_mandate(), zone)
        response = policy_service_pb2.PolicyServiceGetShadowResponse(replica=self._trials.replica)
        if tally:
            response.version, response.compared = tally.version, tally.compared
            response.changed, response.dropped = tally.changed, tally.dropped
            response.since_time.CopyFrom(render.timestamp(tally.since))
            response.differences.extend(newest(tally.differences))
        return response


def _candidate(request: Any) -> Candidate:
    """What a request names or holds."""
    content = zone_parse.policy("policy", request.policy) if request.HasField("policy") else None
    return Candidate(request.version, content)


def _asked(question: policy_pb2.PolicyQuestion) -> Asked:
    if question.input_json:
        if any(field.name != "input_json" for field, _ in question.ListFields()):
            text = "must stand alone: it is all that is asked, or the other fields are"
            raise field_invalid("question.input_json", text)
        return Asked(document=question.input_json)
    if not question.application:
        raise field_invalid("question.application", "must name the application that asks")
    session = question.session_id
    return Asked(
        question.application,
        require_resource("question.resource", question.resource),
        render.scopes("question.scopes", question.scopes),
        require_id("question.session_id", session, SESSION) if session else "",
        render.context_facts("question.context", question.context),
    )


def _progress(progress: Progress) -> policy_service_pb2.PolicyServiceReplayResponse:
    return policy_service_pb2.PolicyServiceReplayResponse(
        replayed=progress.replayed,
        changed=progress.changed,
        skipped=progress.skipped,
        differences=map(difference, progress.differences),
        done=progress.done,
    )
