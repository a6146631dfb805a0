"""What both guards share: from metadata to an admission, from an admission to a verdict.

Each call is met twice. Before its first message is read, the token is read: a caller without a well
signed mandate gets no byte parsed. When the handler is about to run, the mandate is judged: however
long the caller held its message back, the verdict is of that moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Final, Protocol

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.interceptors.context.current import answering
from caracal_grpc.interceptors.context.inbound import Inbound
from caracal_grpc.interceptors.feed.view import View
from caracal_grpc.interceptors.guard.behind import Behind
from caracal_grpc.interceptors.guard.cache import Reading
from caracal_grpc.interceptors.guard.verifier import RETRY_AFTER, Verifier
from caracal_grpc.interceptors.observer import tell
from caracal_grpc.interceptors.resource_field import EACH

_log: Final = logging.getLogger("caracal.guard")

OnRefusal = Callable[[str, CaracalError, Mandate | None], None]
"""Is told of each refused call and each cut stream: the method, why, and under which mandate.

Inside it `current_request_id()` is that of the call.
"""


Inspect = Callable[[object], CaracalError | None]
"""Says why a message of a stream may not reach the handler; `None` when it may."""


class RuleSource(Protocol):
    """Where the rule of a method is found; `Rules` is one."""

    def find(self, method: str) -> Rule | None:
        """The rule of `/package.Service/Method`; `None` when it declares none."""
        ...

    def knows(self, service: str) -> bool:
        """Whether `package.service`, written in lower case, was read, or a method has a rule."""
        ...


class PeerContext(Protocol):
    """The one thing that a verdict asks of a servicer context, of either stack."""

    def auth_context(self) -> Mapping[str, Sequence[bytes]]:
        """What TLS proved of the peer."""
        ...


class Recorder(Protocol):
    """Keeps what a guard decides, for the ledger. It must not block."""

    @property
    def samples(self) -> bool:
        """Whether it wants to hear of calls that are let in."""
        ...

    def allowed(self, admission: Admission) -> str:
        """A call was let in; the id that the ledger will know this by, empty when it will not."""
        ...

    def refused(self, admission: Admission, error: CaracalError) -> str:
        """A call was refused, or its stream is cut; the id that the ledger will know this by."""
        ...


class Admission:
    """One call on its way in: its token read, or the refusal that it will end with."""

    __slots__ = (
        "checks_each",
        "decision_id",
        "error",
        "inbound",
        "method",
        "notes",
        "reading",
        "rule",
        "token",
        "use",
    )

    checks_each: bool
    """Whether it is a stream of requests, each of which says what resource it is about."""
    decision_id: str
    """By which the ledger will know what was decided; empty when that is not recorded."""
    notes: Any
    """What an observed gate keeps of the call; others set nothing."""
    use: str
    """By which its mandate is consumed, when it is taken once; a fresh one when it is empty."""

    def __init__(self, method: str, rule: Rule | None, inbound: Inbound) -> None:
        self.method = method
        self.rule = rule
        self.inbound = inbound
        self.checks_each = False
        self.decision_id = ""
        self.token = ""
        self.use = ""
        self.reading: Reading | None = None
        self.error: CaracalError | None = None

    @property
    def mandate(self) -> Mandate | None:
        """The mandate that the token holds; it may not have been judged yet."""
        return None if self.reading is None else self.reading.mandate


class Gate:
    """The middle of a guard: knows rules and verdicts, nothing of handlers. Thread-safe."""

    def __init__(
        self,
        rules: RuleSource,
        view: View,
        verifier: Verifier,
        on_refusal: OnRefusal | None,
        recorder: Recorder | None = None,
    ) -> None:
        self.rules = rules
        self.view = view
        self.verifier = verifier
        self._on_refusal = on_refusal
        self._recorder = recorder
        self._sampler = recorder if recorder is not None and recorder.samples else None
        self.binding: Callable[[Any], str | None] = peer_binding
        """Tells the thumbprint of the certificate of a call's peer."""

    def read(
        self, method: str, rule: Rule | None, metadata: Iterable[tuple[str, str | bytes]] | None
    ) -> Admission:
        """The admission of a call by its metadata; never raises, it holds the refusal instead.

        That of a public method holds no mandate, and looks at none that is sent along.
        """
        admission = Admission(method, rule, Inbound(metadata))
        try:
            if rule is None:
                raise method_not_declared(method)  # noqa: TRY301 - one path for every refusal
            if not rule.public:
                admission.token = bearer(metadata or ())
                admission.reading = self.verifier.read(admission.token)
        except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
            admission.error = as_refusal(exc)
        return admission

    def judge(
        self, admission: Admission, context: PeerContext | Behind, request: object = None
    ) -> Mandate:
        """The mandate of a call that may go on now; raises `CaracalError` and nothing else.

        `request` is what the handler would be called with: a message, or a stream of them.
        """
        if admission.error is not None:
            raise admission.error
        try:
            reading, rule = admission.reading, admission.rule
            if reading is None or rule is None:
                raise unforeseen()  # noqa: TRY301 - one path for every refusal
            mandate = reading.mandate
            bound = mandate.binding is not None
            asked = EACH if admission.checks_each else request
            self.verifier.judge(reading, rule, self.binding(context) if bound else None, asked)
        except Exception as exc:
            raise as_refusal(exc) from exc
        return mandate

    def inspector(self, admission: Admission) -> Inspect | None:
        """What looks at each message of a stream before the handler; `None` when nothing has to."""
        return partial(self._inspected, admission) if admission.checks_each else None

    def _inspected(self, admission: Admission, message: object) -> CaracalError | None:
        """Why the handler must not see `message`, and the stream ends."""
        try:
            if admission.mandate is None or admission.rule is None:
                raise unforeseen()  # noqa: TRY301 - one path for every refusal
            self.verifier.match(admission.mandate, admission.rule, message)
        except Exception as exc:  # noqa: BLE001 - whatever happens here, the call is refused
            return as_refusal(exc)
        return None

    def admitted(self, admission: Admission) -> None:
        """Hears of a call whose handler runs now: nothing more can refuse it."""
        self.sampled(admission)

    def sampled(self, admission: Admission) -> None:
        """Has a call that is let in recorded, if it is one of those that are."""
        if self._sampler is not None:
            admission.decision_id = tell(self._sampler.allowed, admission) or ""

    def refused(self, admission: Admission, error: CaracalError) -> None:
        """Has it recorded, and tells who watches; what goes wrong there changes no verdict."""
        if self._recorder is not None:
            admission.decision_id = tell(self._recorder.refused, admission, error) or ""
        if self._on_refusal is None:
            return
        try:
            with answering(admission.inbound):
                self._on_refusal(admission.method, error, admission.mandate)
        except Exception:  # noqa: BLE001 - it only watches
            _log.exception("the callback for refusals failed")


def bearer(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The token of the one `authorization: Bearer` entry (RFC 6750 section 2.1).

    Raises `MANDATE_MISSING` when there is none, and `MANDATE_MALFORMED` for several, of which
    nobody could say which one counts.
    """
    found: str | bytes | None = None
    for key, value in metadata:
        if key == "authorization":
            if found is not None:
                raise CaracalError(
                    Reason.MANDATE_MALFORMED,
                    "the call carries more than one authorization; attach exactly one mandate",
                )
            found = value
    scheme, _, token = found.partition(" ") if isinstance(found, str) else ("", "", "")
    if scheme.lower() != "bearer" or not token:
        raise CaracalError(
            Reason.MANDATE_MISSING,
            "the call carries no mandate; attach one as authorization: Bearer",
        )
    return token.strip(" ")


def peer_binding(context: PeerContext | Behind) -> str | None:
    """The thumbprint of the peer's TLS certificate; `None` when it showed none."""
    if isinstance(context, Behind):
        return context.thumbprint
    certificates = context.auth_context().get("x509_pem_cert")
    if not certificates:
        return None
    try:
        return x5t_s256(certificates[0])
    except CaracalError:
        return None


def as_refusal(exc: Exception) -> CaracalError:
    """`exc` as the refusal that the caller sees: what nobody foresaw is logged and denied."""
    if isinstance(exc, CaracalError):
        return exc
    _log.error("the guard could not judge a call", exc_info=exc)
    return unforeseen()


def unforeseen() -> CaracalError:
    """The refusal for trouble inside the guard: not the caller's fault, and perhaps over soon."""
    return CaracalError(
        Reason.AUTHORITY_STALE,
        "the guard could not judge the call; try again shortly",
        retry_after=RETRY_AFTER,
    )


def method_not_declared(method: str) -> CaracalError:
    """The refusal of a method without an authority rule (`METHOD_NOT_DECLARED`)."""
    return CaracalError(
        Reason.METHOD_NOT_DECLARED,
        "the method declares no authority; add the option caracal.v1.authority or a mapping",
        metadata={"method": method},
    )
