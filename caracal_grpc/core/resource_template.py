"""A resource that depends on the request: a family, and the field that says which of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.core.ids import is_family, is_part

_SPECIAL: Final = re.compile(r"[{}*]")
_TEMPLATE: Final = re.compile(r"(.*/)\{([^{}]*)\}")
_PATH: Final = re.compile(r"[A-Za-z_]\w{0,63}(?:\.[A-Za-z_]\w{0,63}){0,7}", re.ASCII)
_EXAMPLE: Final = "resource://orders/{order_id}"


@dataclass(frozen=True, slots=True)
class ResourceTemplate:
    """`resource://orders/{order.id}`: all resources `prefix` and a part, which is in a request.

    `path` leads to it: a field of the request, and one within each message on the way.
    """

    prefix: str
    path: tuple[str, ...]
    family: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", f"{self.prefix}*")

    @property
    def dotted(self) -> str:
        """The field of the request, as its author writes it."""
        return ".".join(self.path)

    def resource(self, value: str | int) -> str:
        """The resource of a request whose field holds `value`; no other value gives the same one.

        Raises `FIELD_INVALID` naming the field when it cannot be a part of a resource.
        """
        part = str(value)
        if not is_part(part):
            raise field_invalid(
                self.dotted,
                "must be 1 to 128 letters, digits, -, _, . or ~, and not only dots; it names the "
                "resource of the call",
            )
        return self.prefix + part


def parse(field: str, resource: str) -> ResourceTemplate | None:
    """The template that the resource of a rule is; `None` for a plain name.

    Raises `FIELD_INVALID` naming `field` for a half-written one.
    """
    if not _SPECIAL.search(resource):
        return None
    if is_family(resource):
        text = f"names a family; write a field of the request for the *, as in {_EXAMPLE}"
        raise field_invalid(field, text)
    match = _TEMPLATE.fullmatch(resource)
    if match is None or not is_family(f"{match[1]}*"):
        text = f"may have one field in braces, for its whole last part, as in {_EXAMPLE}"
        raise field_invalid(field, text)
    if not _PATH.fullmatch(match[2]):
        text = "must name a field of the request in braces, or one in it by dots, as in {order.id}"
        raise field_invalid(field, text)
    return ResourceTemplate(match[1], tuple(match[2].split(".")))
