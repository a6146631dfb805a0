"""Small modules, and what engines say of them: that they are refused, or what they decide."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from tests.policy.closing import ClosingEngine, Compiled

HEAD = "package caracal.authz\n\n"
DENY = HEAD + 'result := {"decision": "deny"}\n'


def refused(
    rego: ClosingEngine, modules: dict[str, str], data: dict[str, Any] | None = None
) -> str:
    """The field that the first violation names."""
    with pytest.raises(CaracalError) as caught:
        rego.compile(modules, data or {})
    assert caught.value.reason is Reason.FIELD_INVALID
    text = str(caught.value) + str(caught.value.__cause__)
    assert "backtrace" not in text.lower()
    assert "_PyEval" not in text
    assert len(text) < 1_000
    return caught.value.violations[0].field


def answer(rego: ClosingEngine, source: str, **data: Any) -> Compiled:
    """The compiled policy of one module."""
    return rego.compile({"a.rego": HEAD + source}, data)
