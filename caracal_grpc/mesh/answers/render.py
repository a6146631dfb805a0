"""From an answer to the message that the proxy reads. It is written from the refusal outwards.

A proxy takes an empty message for permission, so nothing here answers with one: whatever cannot be
said is a refusal, and so is what goes wrong while it is being said.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from envoy.service.auth.v3.external_auth_pb2 import CheckResponse

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.problem import status_of
from caracal_grpc.interceptors.status import bounded, to_status
from caracal_grpc.mesh.answers.answer import Allowed, Refused
from caracal_grpc.mesh.answers.grpc_refusal import add_trailer, details_of
from caracal_grpc.mesh.answers.identity import DECISION_ID, identity
from caracal_grpc.mesh.answers.problem import headers_of, problem
from caracal_grpc.mesh.answers.timeout import GRPC_TIMEOUT, shortened
from caracal_grpc.mesh.answers.writing import add_header
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.recent import Recent

_log: Final = logging.getLogger("caracal.mesh")

_UNAVAILABLE: Final = 14
LAST: Final[Recent[tuple[Allowed, str, CheckResponse]]] = Recent()
"""The last answer under each mandate, its deadline, and what was written for it."""


def render(question: Question | None, answer: Allowed | Refused) -> CheckResponse:
    """The message for `answer`; a refusal for one that cannot be written. Never raises.

    It may be the message of before, and is not to be changed. `question` is `None` when it could
    not be read, which nothing can be allowed for.
    """
    try:
        if isinstance(answer, Refused):
            return _refused(question, answer)
        if question is not None and isinstance(answer, Allowed):
            return _allowed(question, answer)
        _log.error("there is no answer to what was asked, so that it is refused")
    except Exception:  # noqa: BLE001 - whatever happens here, the request is refused
        _log.exception("an answer cannot be written, so that the request is refused")
    return last_resort()


def last_resort() -> CheckResponse:
    """The refusal that needs nothing to be known."""
    response = CheckResponse()
    response.status.code = _UNAVAILABLE
    response.denied_response.status.code = 503
    return response


def _refused(question: Question | None, answer: Refused) -> CheckResponse:
    status, response = to_status(answer.error), last_resort()
    response.status.ParseFromString(details_of(status))
    denied = response.denied_response
    if question is None or question.kind == "http":
        _write_problem(denied, bounded(answer.error), answer.decision_id)
    else:
        # The status of gRPC is in its own header; with one of HTTP beside it, clients of gRPC-Web
        # would take it for a failure on the way. gRPC itself goes by that of HTTP.
        denied.status.code = status_of(answer.error) if question.proxyless else 200
        add_trailer(denied.headers, question, status)
    if answer.decision_id:
        add_header(denied.headers, DECISION_ID, answer.decision_id)
    _tell(response, "deny", answer.decision_id, {"reason": answer.error.reason.value})
    return response


def _write_problem(denied: Any, error: CaracalError, decision_id: str) -> None:
    denied.status.code = status_of(error)
    for name, value in headers_of(error).items():
        add_header(denied.headers, name, value)
    denied.body = problem(error, decision_id)


def _allowed(question: Question, answer: Allowed) -> CheckResponse:
    timeout, mandate = "", answer.mandate
    if answer.life is not None:
        timeout = shortened(question.headers.all(GRPC_TIMEOUT), answer.life)
    last = None if mandate is None else LAST.get(mandate)
    if last is not None and last[1] == timeout and _same(last[0], answer):
        return last[2]
    response = _write(answer, timeout)
    if mandate is not None and not answer.headers:  # which may be a secret, and is not kept
        LAST.put(mandate, (answer, timeout, response))
    return response


def _same(one: Allowed, other: Allowed) -> bool:
    return (
        one.decision_id == other.decision_id
        and one.cache_seconds == other.cache_seconds
        and one.headers == other.headers
        and one.remove == other.remove
        and one.introduces == other.introduces
    )


def _write(answer: Allowed, timeout: str) -> CheckResponse:
    response = CheckResponse()
    response.status.code = 0
    ok, headers = response.ok_response, _headers(answer)
    for name, value in headers.items():
        add_header(ok.headers, name, value)
    if timeout:
        add_header(ok.headers, GRPC_TIMEOUT, timeout)
    # A name in both would be set and then removed.
    ok.headers_to_remove.extend(sorted(answer.remove - headers.keys()))
    if answer.decision_id:
        add_header(ok.response_headers_to_add, DECISION_ID, answer.decision_id)
    about = _about(answer.mandate) if answer.mandate is not None else {}
    _tell(response, "allow", answer.decision_id, about)
    response.dynamic_metadata.fields["cache_seconds"].number_value = answer.cache_seconds
    return response


def _headers(answer: Allowed) -> dict[str, str]:
    """What is set on the request, who calls included."""
    if not answer.introduces or answer.mandate is None:
        return dict(answer.headers)
    return dict((*identity(answer.mandate), (DECISION_ID, answer.decision_id), *answer.headers))


def _about(mandate: Mandate) -> dict[str, str]:
    return {
        "application": mandate.application,
        "subject": mandate.subject,
        "session": mandate.session,
        "resource": mandate.resource,
        "mandate_id": mandate.jti,
    }


def _tell(response: Any, decision: str, decision_id: str, more: dict[str, str]) -> None:
    """What an access log can show: never a token, never a secret."""
    fields = response.dynamic_metadata.fields
    for name, value in {"decision": decision, "decision_id": decision_id, **more}.items():
        if value:
            fields[name].string_value = value
