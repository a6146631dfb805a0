"""What the authority needs of a policy engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from caracal_grpc.core.decision import Decision, PolicyInput


class Policy(Protocol):
    """A compiled set of modules with its data; belongs to the thread that compiled it.

    Close it on that thread when it is replaced. Otherwise a traceback that still holds it may leave
    it to the garbage collector on another thread, where an engine cannot be freed.
    """

    @property
    def version(self) -> str:
        """`sha256:` and 16 hex digits over modules and data; any changed byte changes it."""
        ...

    def decide(self, document: PolicyInput) -> Decision:
        """The answer to `document`; raises `POLICY_FAILED` for anything but a usable answer."""
        ...

    def close(self) -> None:
        """Frees the engine; every later decision fails. Closing twice is closing once."""
        ...


class Engine(Protocol):
    """A way to run Rego."""

    def compile(self, modules: Mapping[str, str], data: Mapping[str, Any]) -> Policy:
        """The policy of `modules` (name to source) over `data` (name to document).

        A document `grants` is `data.caracal.grants` inside the modules. Raises `FIELD_INVALID` with
        a violation `<module>:<line>:<column>` for each fault.
        """
        ...
