"""A refusal for callers that speak gRPC, over whichever proxy: the status that a guard answers."""

from __future__ import annotations

import base64
import re
from typing import Any, Final
from urllib.parse import quote

from caracal_grpc.interceptors.status import DETAILS_KEY, Status
from caracal_grpc.mesh.answers.writing import add_header
from caracal_grpc.mesh.question import Question

_UNESCAPED: Final = " !\"#$&'()*+,-./:;<=>?@[\\]^_`{|}~"
"""What `grpc-message` has as it is, besides letters and digits (gRPC over HTTP/2, responses)."""

_WEB: Final = re.compile(r"application/grpc-web(?:-text)?(?:\+[a-z]{1,16})?")


def details_of(status: Status) -> bytes:
    """The `google.rpc.Status` of a refusal as bytes."""
    return next(
        value
        for name, value in status.trailing_metadata
        if name == DETAILS_KEY and isinstance(value, bytes)
    )


def add_trailer(into: Any, question: Question, status: Status) -> None:
    """Adds the status as the headers of an answer that has nothing else.

    The content type is for gRPC-Web that the proxy does not translate: it writes none by itself.
    """
    web = _WEB.match(question.headers.one("content-type").strip().lower())
    if web is not None:
        add_header(into, "content-type", web[0])
    add_header(into, "grpc-status", str(status.code.value[0]))
    add_header(into, "grpc-message", quote(status.details, safe=_UNESCAPED))
    for name, value in status.trailing_metadata:
        if isinstance(value, bytes):
            add_header(into, name, base64.b64encode(value).decode().rstrip("="), value)
        else:
            add_header(into, name, value)
