"""What is personal of an event: named in one table, taken apart and put together without a loss."""

from __future__ import annotations

from typing import Any

import pytest

from caracal_grpc.core.entry import Entry
from caracal_grpc.core.personal import parted, whole

ALICE = "usr_01h455vb4pex5vsknk084sn02q"
SERVICE = "app_01h455vb4pex5vsknk084sn02q"
SESSION = "ses_01h455vb4pex5vsknk084sn02q"


def event(**fields: Any) -> dict[str, Any]:
    """An event of version 1."""
    known: dict[str, Any] = {
        "id": "aud_01h455vb4pex5vsknk084sn02q",
        "zone": "shop",
        "time_ms": 1_790_000_000_000,
        "type": "revocation",
        "decision": "done",
    }
    return Entry(**known | fields).to_event()


@pytest.mark.parametrize(
    ("fields", "personal"),
    [
        ({"subject": ALICE}, {"subject": ALICE}),
        ({"subject": "mallory"}, {"subject": "mallory"}),
        ({"subject": SERVICE}, {}),
        ({"peer": "10.0.0.7"}, {"peer": "10.0.0.7"}),
        ({"question": "{}", "answer": "[]"}, {"question": "{}", "answer": "[]"}),
        ({"details": {"anchor": ALICE}}, {"details": {"anchor": ALICE}}),
        ({"details": {"anchor": SESSION}}, {}),
        ({"details": {"for": ALICE, "kind": "task"}}, {"details": {"for": ALICE}}),
        ({"details": {"for": SERVICE}}, {}),
        ({"details": {"filter": f"subject={ALICE}"}}, {"details": {"filter": f"subject={ALICE}"}}),
        ({"details": {"why": "left us", "count": 2}}, {"details": {"why": "left us"}}),
        ({"application": SERVICE, "session": SESSION, "jti": "mnd_1", "request_id": "r"}, {}),
        ({"actor_chain": (SERVICE,), "resource": "resource://a", "details": {"count": 1}}, {}),
    ],
    ids=str,
)
def test_what_tells_of_a_person_is_taken_out(
    fields: dict[str, Any], personal: dict[str, Any]
) -> None:
    """By its name, unless it is the id of something that is no person; all else stays."""
    before = event(**fields)
    rest, taken = parted(before)
    assert taken == personal
    assert rest.pop("v") == 2
    assert not rest.keys() & (personal.keys() - {"details"})
    assert ALICE not in str(rest)
    together = whole(rest | {"personal": "hash"}, taken)
    assert together == {name: value for name, value in before.items() if name != "v"}


@pytest.mark.parametrize(
    "personal",
    [{"decision": "allow"}, {"index": 3}, {"details": {"count": 1}}, {"details": 7}],
    ids=str,
)
def test_nothing_else_can_be_slipped_in(personal: dict[str, Any]) -> None:
    """What is personal cannot say what the tree must: no other field of an event comes from it."""
    rest, _ = parted(event(subject=ALICE))
    with pytest.raises(ValueError, match="what is personal"):
        whole(rest | {"personal": "hash"}, personal)


def test_an_event_that_commits_to_nothing_has_nothing_personal() -> None:
    """So nothing can be put beside an event of version 1."""
    with pytest.raises(ValueError, match="commits to nothing"):
        whole(event(), {"subject": ALICE})
