"""What a request is: a method of gRPC, a route of plain HTTP, or nothing that may go on."""

from __future__ import annotations

from typing import Final

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.interceptors.guard.gate import RuleSource, method_not_declared
from caracal_grpc.interceptors.resource_field import PathVariables
from caracal_grpc.mesh.paths import folded, segments_of
from caracal_grpc.mesh.question import Question
from caracal_grpc.mesh.routes import Match, Routes

_NOTHING: Final = PathVariables()
_VERBS: Final = {
    "CONNECT": "opens a tunnel, in which nobody could judge anything",
    "TRACE": "has the upstream answer with what it was sent, credentials included",
}
"""Methods of HTTP that go nowhere, and why (RFC 9110 section 9.3)."""


def match_of(question: Question, rules: RuleSource, routes: Routes) -> Match:
    """What a request is, by the rules of gRPC methods and the routes of plain HTTP.

    A path that is a declared method of gRPC is that method, whatever the request says that it is:
    servers of gRPC look at the path and not at the content type. For the same reason no route is
    for a path below a service that is known, nor for a request that says that it is gRPC.

    Raises `METHOD_NOT_DECLARED` for one that is nothing, `FIELD_INVALID` for one that would go on
    past its answer, and what `Routes.find` raises.
    """
    _require_one_answer(question)
    rule = rules.find(question.path)
    if rule is not None:
        return Match(question.path, _judgeable(rule), _NOTHING, grpc=True)
    if question.kind == "http" and not rules.knows(folded(segments_of(question.path)[0])):
        found = routes.find(question.host, question.verb, question.path)
        if found is not None:
            return found
        raise _no_route(name_of(question))
    raise method_not_declared(name_of(question))


def name_of(question: Question) -> str:
    """What a request that nothing is declared for is called."""
    if question.kind == "http":
        return f"{question.verb} {question.host}{question.path}"
    return question.path


def unjudgeable(rule: Rule) -> bool:
    """Whether a rule of a gRPC method asks what is in its requests, which no proxy shows."""
    return rule.template is not None


def _require_one_answer(question: Question) -> None:
    """Raises `FIELD_INVALID` for what opens a way past the proxy, which nobody could end."""
    if "upgrade" in question.headers:
        text = "cannot go on: neither expiry nor revocation would reach what it opens"
        raise field_invalid("headers.upgrade", text)
    if question.verb in _VERBS:
        raise field_invalid("method", _VERBS[question.verb])


def _no_route(name: str) -> CaracalError:
    return CaracalError(
        Reason.METHOD_NOT_DECLARED,
        "no route is declared for the request; add one for its host, path and method",
        metadata={"method": name},
    )


def _judgeable(rule: Rule) -> Rule:
    if unjudgeable(rule):
        raise CaracalError(
            Reason.METHOD_NOT_DECLARED,
            "the method's resource is in its requests, which a proxy does not show; guard it in "
            "its own process, or map it to a resource without a field",
            metadata={"method": rule.method},
        )
    return rule
