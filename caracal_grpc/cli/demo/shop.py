"""The shop of the examples: where its files are, and its generated code.

The services run from the very files that the examples show, in a checkout as in an installed wheel.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import caracal_grpc
from caracal_grpc.cli.errors import usage


@dataclass(frozen=True, slots=True)
class Shop:
    """The folder of the shop and the modules that protoc made of its protos."""

    folder: Path
    orders_pb2: ModuleType
    orders_pb2_grpc: ModuleType
    payments_pb2: ModuleType
    payments_pb2_grpc: ModuleType

    def orders(self, channel: Any) -> Any:
        """A stub of `shop.v1.Orders`."""
        return self.orders_pb2_grpc.OrdersStub(channel)

    def payments(self, channel: Any) -> Any:
        """A stub of `shop.v1.Payments`."""
        return self.payments_pb2_grpc.PaymentsStub(channel)

    def place(self) -> Any:
        """A request for an order of tea."""
        return self.orders_pb2.PlaceRequest(product="tea")


def load() -> Shop:
    """The shop with its code loaded; raises `CliError` when its files are not there."""
    folder = example("shop", "orders.py")
    # Its code imports `shop.v1` absolutely, as the services do, whose folder Python puts there.
    sys.path.insert(0, str(folder))
    try:
        names = ("orders_pb2", "orders_pb2_grpc", "payments_pb2", "payments_pb2_grpc")
        return Shop(folder, *(importlib.import_module(f"shop.v1.{name}") for name in names))
    finally:
        sys.path.remove(str(folder))


def example(name: str, file: str) -> Path:
    """The folder of an example, which has `file`; raises `CliError` when it is not there."""
    package = Path(caracal_grpc.__file__).parent
    for base in (package, package.parent):
        folder = base / "examples" / name
        if (folder / file).is_file():
            return folder
    text = f"the example {name} is not installed; run this from a checkout of caracal-grpc"
    raise usage(text)
