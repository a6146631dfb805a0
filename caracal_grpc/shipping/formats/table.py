"""The formats by the names that settings give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from caracal_grpc.shipping.formats.objects import ObjectFormat
from caracal_grpc.shipping.formats.ocsf import ocsf
from caracal_grpc.shipping.formats.otlp import OtlpFormat
from caracal_grpc.shipping.formats.plain import plain
from caracal_grpc.shipping.port import Format

FORMATS: Final[Mapping[str, Callable[[bool], Format]]] = {
    "json": lambda array: ObjectFormat(plain, array=array),
    "ocsf": lambda array: ObjectFormat(ocsf, array=array),
    "otlp": lambda _: OtlpFormat(),
}
"""What makes each format; told whether a batch is to be an array rather than lines."""
