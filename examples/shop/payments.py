"""The Payments service: guarded, so that no handler runs without a mandate that permits it.

Run it as

    CARACAL_PROFILE=shop-payments.json python examples/shop/payments.py
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import Any
from uuid import uuid4

import grpc.aio
from shop.v1 import payments_pb2, payments_pb2_grpc

from caracal_grpc.interceptors import CaracalError, connect, current_mandate

LISTEN = os.environ.get("SHOP_PAYMENTS", "127.0.0.1:7431")
MAX_STALENESS = float(os.environ.get("SHOP_MAX_STALENESS", "10"))  # seconds without the authority


class Payments(payments_pb2_grpc.PaymentsServicer):
    """Takes money. What each method asks for stands beside it in `payments.proto`."""

    async def Charge(
        self, request: payments_pb2.ChargeRequest, context: Any
    ) -> payments_pb2.ChargeResponse:
        """Charges whoever the mandate speaks for, and says who acted for them."""
        mandate = current_mandate()
        return payments_pb2.ChargeResponse(
            payment_id=f"payment-{uuid4().hex[:8]}",
            subject=mandate.subject,
            actor=mandate.application,
            audit_id=mandate.audit_id,
        )

    async def Refund(
        self, request: payments_pb2.RefundRequest, context: Any
    ) -> payments_pb2.RefundResponse:
        """Gives money back."""
        return payments_pb2.RefundResponse(refund_id=f"refund-{uuid4().hex[:8]}")


async def main() -> None:
    """Serves until SIGTERM or Ctrl-C, then lets the calls in flight finish."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)

    async with connect(max_staleness=MAX_STALENESS) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        payments_pb2_grpc.add_PaymentsServicer_to_server(Payments(), server)
        port = server.add_insecure_port(LISTEN)
        await edge.ready()
        await server.start()
        print(f"shop.v1.Payments on 127.0.0.1:{port}", flush=True)
        await stopping.wait()
        await server.stop(grace=5)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except CaracalError as error:  # no profile, or no authority: it says what to do
        sys.exit(str(error))
