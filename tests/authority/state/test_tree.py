"""The tree of sessions: what is below one, found without a scan, as they come and go."""

from __future__ import annotations

from caracal_grpc.authority.state.tree import Tree
from caracal_grpc.core.session import Session
from tests.authority.sessions.desk import end, start
from tests.support.rig import Rig


def drawn(rig: Rig, top: str) -> list[tuple[str, int]]:
    """Ids and depths below a session, in the order in which the tree tells them."""
    return [(session.id, depth) for session, depth in rig.authority.tree.below("shop", top)]


async def family(rig: Rig) -> tuple[Session, Session, Session, Session]:
    """A session with two children, the first of which has one of its own."""
    top = await start(rig)
    first = await start(rig, parent=top.id)
    second = await start(rig, parent=top.id)
    return top, first, await start(rig, parent=first.id), second


async def test_each_comes_above_its_own(any_rig: Rig) -> None:
    """The session itself at depth 0, and older branches before younger ones."""
    rig = any_rig
    top, first, grandchild, second = await family(rig)
    expected = [(top.id, 0), (first.id, 1), (grandchild.id, 2), (second.id, 1)]
    assert drawn(rig, top.id) == expected
    standing = rig.standing("agent")
    assert drawn(rig, standing) == [(standing, 0), *((name, n + 1) for name, n in expected)]
    children = rig.authority.tree.children("shop", top.id)
    assert [child.id for child in children] == [first.id, second.id]
    assert rig.authority.tree.children("shop", second.id) == ()


async def test_other_zones_and_unknown_sessions_have_nothing(rig: Rig) -> None:
    """The same id in another zone is another session."""
    top, *_ = await family(rig)
    assert list(rig.authority.tree.below("caracal", top.id)) == []
    assert list(rig.authority.tree.below("shop", "ses_unknown")) == []
    assert rig.authority.tree.children("caracal", top.id) == ()


async def test_tree_made_later_knows_what_was_there(rig: Rig) -> None:
    """And follows what comes after, until it is closed."""
    top, *_ = await family(rig)
    tree = Tree(rig.state)
    assert list(tree.below("shop", top.id)) == list(rig.authority.tree.below("shop", top.id))
    fourth = await start(rig, parent=top.id)
    assert fourth.id in {each.id for each in tree.children("shop", top.id)}
    tree.close()
    fifth = await start(rig, parent=top.id)
    assert fifth.id not in {each.id for each in tree.children("shop", top.id)}


async def test_ended_sessions_stay_until_the_store_forgets_them(rig: Rig) -> None:
    """So that what fell can be shown; then nothing is left of them."""
    top, first, *_ = await family(rig)
    await end(rig, first)
    assert len(drawn(rig, top.id)) == 4
    await rig.advance(3 * 86_400)
    await rig.state.reached(await rig.store.commit([], []))
    assert drawn(rig, top.id) == []
    assert rig.authority.tree._children == rig.authority.tree._parent == {}
