"""Who is dead: one set, however many snapshots of it come, since it may hold a million."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet


class Dead:
    """Every dead anchor, with the number of the snapshot that named it last.

    A snapshot that arrives marks those that are known already, and collects the others beside them:
    so a second one costs a number each. One thread changes it; any may read it.
    """

    __slots__ = ("_marks", "_snapshots")

    def __init__(self) -> None:
        self._marks: dict[str, int] = {}
        self._snapshots = 0

    @property
    def anchors(self) -> AbstractSet[str]:
        """All of them; ask again rather than keep it."""
        return self._marks.keys()

    def bury(self, anchors: Iterable[str]) -> set[str]:
        """Adds anchors; answers which of them are news."""
        news = {anchor for anchor in anchors if anchor not in self._marks}
        self._marks.update(dict.fromkeys(news, 0))
        return news

    def release(self, anchors: Iterable[str]) -> None:
        """Forgets anchors that nothing alive can name."""
        for anchor in anchors:
            self._marks.pop(anchor, None)

    def roll(self) -> Roll:
        """A snapshot begins; all that was marked for one before counts for nothing."""
        self._snapshots += 1
        return Roll(self, self._snapshots)


class Roll:
    """The dead of one snapshot, of which nothing counts until it is `put_in_force`."""

    __slots__ = ("_dead", "_mark", "_news")

    def __init__(self, dead: Dead, mark: int) -> None:
        self._dead = dead
        self._mark = mark
        self._news: dict[str, int] = {}

    def take(self, anchors: Iterable[str]) -> None:
        """Names these, too."""
        known, news, mark = self._dead._marks, self._news, self._mark  # noqa: SLF001 - one thing
        for anchor in anchors:
            (known if anchor in known else news)[anchor] = mark

    def release(self, anchors: Iterable[str]) -> None:
        """Names these no more."""
        known = self._dead._marks  # noqa: SLF001
        for anchor in anchors:
            self._news.pop(anchor, None)
            if anchor in known:
                known[anchor] = 0

    def unnamed(self, among: Iterable[str] | None = None) -> set[str]:
        """Who is known to be dead, and not by this snapshot."""
        known = self._dead._marks  # noqa: SLF001
        mark = self._mark
        if among is None:
            return {anchor for anchor, last in known.items() if last != mark}
        return {anchor for anchor in among if known.get(anchor, mark) != mark}

    def put_in_force(self, besides: Collection[str] = ()) -> AbstractSet[str]:
        """Lets go of all that are neither named nor among `besides`; answers who was not known.

        At no moment is anybody missing who is dead before and after it.
        """
        dead, news = self._dead, self._news
        known = dead._marks  # noqa: SLF001
        died: AbstractSet[str] = set(news) if known else news.keys()
        gone = self.unnamed().difference(besides)
        if len(news) > len(known):
            news.update((anchor, mark) for anchor, mark in known.items() if anchor not in gone)
            dead._marks = news  # noqa: SLF001
        else:
            known.update(news)
            dead.release(gone)
        return died
