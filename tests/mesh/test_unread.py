"""A request that cannot be read is refused in its caller's own words all the same."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.reason import Reason
from tests.mesh.asking import GRPC_SHAPES, http
from tests.mesh.desk import allowed, desk, headers, refusal

TWO = (("authorization", "Bearer one"), ("authorization", "Bearer other"))


@pytest.mark.parametrize("shape", GRPC_SHAPES.values(), ids=GRPC_SHAPES)
async def test_callers_of_grpc_get_a_status(shape: Any) -> None:
    """With its reason, though there is no question to answer."""
    response = await desk().ask(shape(headers=TWO))
    assert not allowed(response)
    assert refusal(response).reason is Reason.MANDATE_MALFORMED
    assert response.denied_response.body == ""


async def test_callers_of_http_get_a_problem() -> None:
    """And no header of gRPC."""
    response = await desk().ask(http("/orders/o-1", TWO))
    assert response.denied_response.status.code == 401
    assert not [name for name in headers(response) if name.startswith("grpc-")]


async def test_what_says_nothing_clear_of_itself_is_taken_for_http() -> None:
    """As two content types, or none of the headers, of a request that is no request."""
    for wrong in (
        http("/a/../b"),
        http("/orders/o-1", (("content-type", "application/grpc"),) * 2),
    ):
        response = await desk().ask(wrong)
        assert not allowed(response)
        assert response.denied_response.status.code in {400, 403}
