"""What people read while the demo runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from caracal_grpc.cli.terminal.output import plain
from caracal_grpc.cli.terminal.view import view

if TYPE_CHECKING:
    from rich.console import Console

    from caracal_grpc.cli.demo.flow import Check, Flow
    from caracal_grpc.cli.demo.record import Verdict


@dataclass(frozen=True, slots=True)
class Chapter:
    """How one flow is told: what happens, and why it matters."""

    title: str
    happens: str
    matters: str


CHAPTERS: Final = {
    "success": Chapter(
        "A call over two hops",
        "An agent orders tea. Orders must charge for it, and calls Payments on the agent's behalf.",
        "Orders has no power of its own over money: without a caller it is granted nothing, and "
        "Payments sees who began the call and who acts.",
    ),
    "denied": Chapter(
        "Two refusals",
        "The agent asks for a refund, then tries to order with a mandate for something else.",
        "Policy refuses before a call is ever made, and the guard refuses at the door, without "
        "asking anyone.",
    ),
    "step_up": Chapter(
        "A request that a person must release",
        "The clerk asks for a refund. Policy holds it until the manager has approved it.",
        "The approval is for exactly that request, and is used up by it: nobody approves one thing "
        "and finds another one done.",
    ),
    "delegated": Chapter(
        "Work handed on, three hops deep",
        "The agent hands work to the planner, that one to the buyer, that one to the courier.",
        "Each hop can only narrow. Revoking one ends what is below it, at every edge and at once, "
        "and nothing beside it.",
    ),
    "revoked": Chapter(
        "A live stream is cut",
        "The agent follows its order in a session. The operator revokes that session.",
        "An expiry time alone would have left the stream open. Every edge hears of a revocation "
        "at once, and what the session passed on dies with it.",
    ),
    "rotated": Chapter(
        "A new signing key under traffic",
        "Orders are placed one after the other while the zone's signing key is replaced.",
        "The new key is at every edge before it signs, and the old one is accepted until all that "
        "it signed has expired. Nobody has to be told, and nothing is rejected.",
    ),
}


@dataclass(frozen=True, slots=True)
class Told:
    """The words of a demo: what is on this machine, and a chapter for each flow."""

    setting: str
    chapters: Mapping[str, Chapter]


PLAIN: Final = Told(
    "A real etcd, authority and ledger, two guarded services and an agent, on this machine.",
    CHAPTERS,
)

_WIDTH: Final = 100


class Story:
    """Tells it on a console. Silent without one, for programs that want the JSON alone."""

    def __init__(self, console: Console | None, told: Told = PLAIN) -> None:
        self._console = console
        self._told = told
        self._names: Mapping[str, str] = {}

    def introduce(self, names: Mapping[str, str]) -> None:
        """Lets ids of applications be read as their names."""
        self._names = names

    def begin(self) -> None:
        """Says what is about to start."""
        self._heading("caracal-grpc demo")
        self._print(self._told.setting)

    def chapter(self, number: int, name: str) -> None:
        """Says what the next flow does."""
        chapter = self._told.chapters[name]
        self._heading(f"{number}. {chapter.title}")
        self._print(chapter.happens)

    def outcome(self, flow: Flow) -> None:
        """Says what came of it, and why that matters."""
        for check in flow.checks:
            self._check(check)
        if flow.ok:
            self._print(self._told.chapters[flow.name].matters, "dim")
        elif flow.said:
            self._print(f"It was told: {flow.said}")

    def explained(self, about: str, explanation: Any) -> None:
        """Shows the way to one decision."""
        self._show(_tree(about, view(explanation), self._named))

    def records(self, number: int) -> None:
        """Says that the ledger is next."""
        self._heading(f"{number}. Why each decision was made")
        self._print(
            "No mandate exists without its entry in the ledger, and each entry tells its reasons."
        )

    def verdict(self, verdict: Verdict) -> None:
        """Says what checking the ledger came to."""
        from caracal_grpc.cli.demo.flow import Check

        text = f"{verdict.entries} entries exported and checked offline, root {verdict.root[:16]}…"
        self._check(Check(text, verdict.verified))
        self._print("Had one been changed, removed or moved, the check would name it.", "dim")

    def end(self, seconds: float, *, ok: bool) -> None:
        """Says how it all went."""
        words = "Everything behaved" if ok else "Not everything behaved"
        self._heading(f"{words}, in {seconds:.1f} s.")

    def _named(self, text: str) -> str:
        """`text` with names in the place of ids."""
        for application, name in self._names.items():
            text = text.replace(application, name)
        return plain(text)

    def _check(self, check: Check) -> None:
        mark, style = ("✓", "green") if check.holds else ("✗", "bold red")
        self._print(f"{mark} {check.text}", style)

    def _heading(self, text: str) -> None:
        if self._console is not None:
            self._console.print(f"\n{plain(text)}", style="bold")

    def _print(self, text: str, style: str = "") -> None:
        from rich.text import Text

        self._show(Text(plain(text), style))

    def _show(self, what: Any) -> None:
        """Prints with a margin, which long lines keep."""
        if self._console is not None:
            from rich.padding import Padding

            self._console.print(Padding(what, (0, 0, 0, 3), expand=False))


def console() -> Console:
    """Where the story is told: no wider than reads well."""
    from caracal_grpc.cli.terminal.output import console as any_console

    made = any_console()
    made.width = min(made.width, _WIDTH)
    return made


def _tree(about: str, explained: dict[str, Any], named: Callable[[str], str]) -> Any:
    from rich.text import Text
    from rich.tree import Tree

    entry = explained["entry"]
    outcome = " ".join(filter(None, (entry["decision"], entry["reason"], entry["id"])))
    tree = Tree(Text.assemble((plain(about), "bold"), f"  {plain(outcome)}"))
    for step in explained["steps"]:
        kept = f"  → {' '.join(step['kept'])}" if step["kept"] else ""
        tree.add(Text(named(f"{step['by']}: {step['text']}{kept}")))
    return tree
