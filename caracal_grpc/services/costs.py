"""What calls of operators cost, and how much of it one application may have.

Exchanges have limits of their own (`authority/exchange/rates.py`), and so have new policies
(`authority/policies/catalogue.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from caracal_grpc.authority.state.bucket import Bucket, Buckets
from caracal_grpc.core.ports import Clock
from caracal_grpc.interceptors.context.current import current_mandate
from caracal_grpc.services.behind import BehindInterceptor, Handler, stepping

RATE: Final = 20.0
BURST: Final = 200.0
"""What one application may spend at one replica, a second and at once."""

COSTS: Final[Mapping[str, int]] = {
    "/caracal.v1.DiagnosticsService/Diagnose": 10,
    "/caracal.v1.PolicyService/Replay": 20,
    "/caracal.v1.PolicyService/Simulate": 1,
    "/caracal.v1.ZoneService/Apply": 2,
    "/caracal.v1.ZoneService/Get": 2,
}
"""What one call of a method costs; about 10 ms of a processor each."""


class CostInterceptor(BehindInterceptor):
    """Takes what a method costs out of its caller's bucket; `RATE_LIMITED` when that is empty.

    For a further method add it to `COSTS`, and RATE_LIMITED to its comment in the proto; nothing
    else. It stands behind the guard, so that nobody spends what is another's, and a refusal costs
    neither an entry of the ledger nor any work.
    """

    def __init__(self, clock: Clock, costs: Mapping[str, int] = COSTS) -> None:
        super().__init__()
        text = "too many costly calls of the application; wait as long as it says"
        self._buckets = Buckets(lambda: Bucket(clock, RATE, BURST, text))
        self._costs = costs

    def concerns(self, method: str) -> bool:
        """Whether calls of this method cost something."""
        return method in self._costs

    def changed(self, method: str, handler: Handler) -> Handler:
        """`handler` for those who can pay."""

        def take(request: Any) -> Any:
            self._buckets.take(current_mandate().application, self._costs[method])
            return request

        return stepping(handler, take, handler.request_deserializer)
