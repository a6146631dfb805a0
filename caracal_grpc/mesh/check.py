"""`envoy.service.auth.v3.Authorization`: what a proxy asks before it lets a request through."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse
from envoy.service.auth.v3.external_auth_pb2_grpc import AuthorizationServicer

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.interceptors.guard.gate import as_refusal
from caracal_grpc.mesh.answers.answer import Allowed, Refused
from caracal_grpc.mesh.answers.render import render
from caracal_grpc.mesh.patience import Patience
from caracal_grpc.mesh.question import Question, read, unread
from caracal_grpc.mesh.within import within

_SHOWN: Final = 512


class Way(Protocol):
    """Answers the questions about requests that go one way."""

    def answer(self, question: Question) -> Coroutine[Any, Any, Allowed]:
        """How the request goes on; raises `CaracalError` when it may not.

        The refusal's `decision_id` among its metadata names its record in the ledger.
        """
        ...


Record = Callable[[str, CaracalError], object]
"""Has the refusal of a request recorded that no way has answered: its path, and why."""


class CheckServicer(AuthorizationServicer):  # type: ignore[misc]
    """Answers each question by the way that the proxy's configuration names.

    Every refusal is an answer, in the time that the proxy waits: a call that failed would be up to
    what the proxy makes of failures. `record` is `AioVerdicts.refuse`, so that what cannot be
    judged, for whatever reason, is in the ledger, too.
    """

    def __init__(self, ways: Mapping[str, Way], record: Record | None = None) -> None:
        self._ways = dict(ways)
        self._record = record

    async def Check(self, request: CheckRequest, context: Any) -> CheckResponse:  # noqa: N802
        """Whether the request may go on, and with what."""
        question: Question | None = None
        answer: Allowed | Refused
        try:
            question = read(request, Patience(context.time_remaining))
            way = self._way(question)
        except Exception as exc:  # noqa: BLE001 - whatever happens here, the request is refused
            return render(question or _unread(request), self._unanswered(request, as_refusal(exc)))
        try:
            answer = await within(question.patience.answer, way.answer(question))
        except CaracalError as error:  # recorded by the way
            answer = _refused(error)
        except Exception as exc:  # noqa: BLE001 - the same, time that is up included
            answer = self._unanswered(request, as_refusal(exc))
        return render(question, answer)

    def _way(self, question: Question) -> Way:
        way = self._ways.get(question.direction)
        if way is None:
            raise CaracalError(
                Reason.METHOD_NOT_DECLARED,
                f"nothing is configured for {question.direction} requests here; add it, or "
                "correct the context extension of the proxy",
                metadata={"method": question.path[:_SHOWN]},
            )
        return way

    def _unanswered(self, request: CheckRequest, error: CaracalError) -> Refused:
        if self._record is not None:
            path = request.attributes.request.http.path.partition("?")[0]
            try:
                self._record(path[:_SHOWN] or "/", error)
            except Exception as exc:  # noqa: BLE001 - it only writes down what is refused anyway
                as_refusal(exc)
        return _refused(error)


def _refused(error: CaracalError) -> Refused:
    return Refused(error, error.metadata.get("decision_id", ""))


def _unread(request: CheckRequest) -> Question | None:
    """What of the request its refusal can be told by."""
    try:
        return unread(request)
    except Exception as exc:  # noqa: BLE001 - it only chooses the words of a refusal
        as_refusal(exc)
        return None
