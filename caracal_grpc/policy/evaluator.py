"""A policy compiled in this process, by whichever engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from caracal_grpc.core.errors import field_invalid

if TYPE_CHECKING:
    from caracal_grpc.core.decision import Decision
    from caracal_grpc.policy.bundle import Bundle
    from caracal_grpc.policy.port import Explanation

DEFAULT_ENGINE: Final = "regorus"
ENGINES: Final = (DEFAULT_ENGINE, "regopy")


class Evaluator(Protocol):
    """What an engine made of a bundle; of use on the thread that compiled it only.

    Nothing here is bounded: a hostile policy takes as long, and as much, as it likes.
    """

    def decide(self, question: str) -> Decision:
        """The answer to `question`, JSON; raises `POLICY_FAILED` for anything but a usable one."""
        ...

    def explain(self, question: str) -> Explanation:
        """The answer with the rules behind it, where the engine tells."""
        ...

    def close(self) -> None:
        """Frees the engine; every later decision fails."""
        ...


def evaluator(name: str, bundle: Bundle) -> Evaluator:
    """What the engine `name` makes of `bundle`; raises `FIELD_INVALID` naming faults' places."""
    require_installed(name)
    if name == DEFAULT_ENGINE:
        from caracal_grpc.policy.regorus import RegorusEvaluator

        return RegorusEvaluator.of(bundle)
    from caracal_grpc.policy.regopy import RegopyEvaluator

    return RegopyEvaluator(bundle)


async def evaluator_in_turns(name: str, bundle: Bundle) -> Evaluator:
    """The same, while others have their turn as far as the engine lets them."""
    if name != DEFAULT_ENGINE:
        return evaluator(name, bundle)
    require_installed(name)
    from caracal_grpc.policy.regorus import RegorusEvaluator

    return await RegorusEvaluator.in_turns(bundle)


def require_installed(name: str) -> None:
    """Raises `FIELD_INVALID` for an engine that is unknown or not installed."""
    if name not in ENGINES:
        raise field_invalid("policy engine", f"must be one of {', '.join(ENGINES)}")
    try:
        __import__(name)
    except ImportError as exc:
        package = "caracal-grpc[server]" if name == "regorus" else name
        text = f"{name} is not installed; run: pip install '{package}'"
        raise field_invalid("policy engine", text) from exc
