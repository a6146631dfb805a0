"""`rules`: every method has a sound rule, or each that has not is named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from tests.cli.conftest import Shop
from tests.cli.support import Dev, Ended, caracal
from tests.support.protos import FAULTY, proto

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "shop"
SHOP = ("--module", "shop.v1")
OPEN = {"public": True, "public_reason": "a shelf for all"}
ZONE = """\
zone: books
applications:
  - name: reader
resources:
  - name: resource://books
    scopes: [books:read]
grants:
  - application: reader
    resource: resource://books
    scopes: [books:read]
    step_up: [books:read]
"""


def example(command: str, *arguments: str | Path) -> Ended:
    """A command about the services of the example."""
    return caracal("rules", command, *SHOP, *arguments, PYTHONPATH=str(EXAMPLE))


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    """A descriptor set with a method of each kind that is wrong."""
    path = tmp_path / "books.binpb"
    path.write_bytes(FileDescriptorSet(file=[proto("test.books", FAULTY)]).SerializeToString())
    return path


@pytest.fixture
def zone(tmp_path: Path) -> Path:
    """The manifest of the zone of that service."""
    path = tmp_path / "zone.yaml"
    path.write_text(ZONE)
    return path


def test_the_example_is_in_order() -> None:
    """With what was checked in the last line, and what was not on stderr."""
    ended = example("check")
    assert ended.code == 0, ended.err
    assert ended.out == "5 methods of 2 services checked: every one has a rule\n"
    assert ended.err == "no zone was compared with; name one with -f or --against-zone\n"


def test_the_example_is_in_order_with_its_zone() -> None:
    """The manifest beside it has every scope."""
    ended = example("check", "-f", EXAMPLE / "zone.yaml")
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith(": every one has a rule, and zone shop has what they name\n")


def test_each_fault_is_a_line_and_exit_code_6(faulty: Path, zone: Path) -> None:
    """On stdout, by method; how many there are on stderr."""
    ended = caracal("rules", "check", "--descriptor-set", faulty, "-f", zone)
    assert ended.code == 6
    named = [line.split(": ")[:2] for line in ended.out.splitlines()]
    wrong = ("Charge", "Forgotten", "Half", "Open")
    assert named == [["test.books.proto", f"/test.books.Books/{name}"] for name in wrong]
    assert ended.line == "4 findings in 5 methods of 1 service"


def test_json_tells_the_kinds(faulty: Path, zone: Path) -> None:
    """One line, for programs."""
    ended = caracal("rules", "check", "--descriptor-set", faulty, "-f", zone, "--json")
    assert (ended.code, ended.json["methods"], ended.json["zone"]) == (6, 5, "books")
    kinds = [each["kind"] for each in ended.json["findings"]]
    assert kinds == ["scope-unknown", "undeclared", "half-written", "unreasoned"]
    assert ended.json["findings"][1]["path"] == "/test.books.Books/Forgotten"


def test_rules_beside_the_protos_mend_them(faulty: Path, zone: Path, tmp_path: Path) -> None:
    """For protos that cannot be changed."""
    rules = tmp_path / "rules.yaml"
    wrong = ("Charge", "Forgotten", "Half", "Open")
    rules.write_text(json.dumps({f"/test.books.Books/{name}": OPEN for name in wrong}))
    arguments = ("--descriptor-set", faulty, "-f", zone, "--rules", rules)
    ended = caracal("rules", "check", *arguments)
    assert (ended.code, ended.err) == (0, "")


def test_a_rule_for_a_method_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    """It guards nothing."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(json.dumps({"/shop.v1.Orders/Plaec": OPEN}))
    ended = example("check", "--rules", rules)
    assert ended.code == 6
    assert "/shop.v1.Orders/Plaec: has a rule here" in ended.out
    assert "or write Place" in ended.out


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("- a\n", "rules.yaml:1: must be a mapping of methods"),
        ("/a.B/C:\n  public: true\n  scopes: x\n", "rules.yaml:3: /a.B/C.scopes: must be a list"),
        ("/a.B/C:\n  oops: 1\n", "rules.yaml:2: /a.B/C.oops: unknown"),
        ("/a.B/C: {}\na.B: {}\n", "rules.yaml:1: /a.B/C: must name a resource"),
        ("a.B: {}\n", "rules.yaml:1: a.B: must be a full method path"),
    ],
)
def test_bad_rules_are_named_by_their_line(content: str, said: str, tmp_path: Path) -> None:
    """File, line, method."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(content)
    ended = example("check", "--rules", rules)
    assert ended.code == 2
    assert said in ended.line


def test_a_service_can_be_left_out(faulty: Path) -> None:
    """By its name, which must be one of those that are there."""
    leaving = ("rules", "check", "--descriptor-set", faulty, "--except")
    unknown = caracal(*leaving, "test.books.Boks")
    assert unknown.code == 2
    assert "these are test.books.Books" in unknown.line
    assert caracal(*leaving, "test.books.Books").line == "there is no method left to look at"
    assert example("check", "--except", "shop.v1.Payments").out.startswith("3 methods of 1 service")


def test_the_authority_itself_is_in_order_by_its_reflection(dev: Dev) -> None:
    """A running server: its own methods, and those of health and reflection."""
    address = json.loads(dev.profile.read_text())["authority"]
    ended = caracal("rules", "check", "--server", address, "--plaintext")
    assert ended.code == 0, ended.err
    assert " methods of 20 services checked: every one has a rule" in ended.out


def test_a_running_authority_is_asked_for_the_zone(dev: Dev, shop: Shop) -> None:
    """Only when told to; the zone there has no scope for tracking, and no refunds."""
    arguments = ("rules", "check", *SHOP, "--against-zone", "--zone", shop.zone, "--json")
    ended = caracal(*arguments, profile=dev.profile, PYTHONPATH=str(EXAMPLE))
    assert ended.code == 6
    assert ended.json["zone"] == shop.zone
    assert [each["path"] for each in ended.json["findings"]] == [
        "/shop.v1.Orders/Track",
        "/shop.v1.Payments/Refund",
    ]


def test_the_authority_is_not_asked_unless_told() -> None:
    """Nor are its options taken in silence."""
    ended = example("check", "--zone", "shop")
    assert ended.code == 2
    assert "--against-zone" in ended.line


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--module", "shop.v1", "--server", "127.0.0.1:1"),
        ("--module", ""),
        ("--server", "127.0.0.1:1", "--recursive"),
        ("--module", "shop.v1", "--plaintext"),
        ("--server", "books.example:443", "--plaintext"),
        ("--module", "no_such_team"),
        ("--descriptor-set", "no-such-file"),
        ("--module", "shop.v1", "-f", "zone.yaml", "--against-zone"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line(arguments: tuple[str, ...]) -> None:
    """Neither more nor less than one source, and only options that go with it."""
    ended = caracal("rules", "check", *arguments, PYTHONPATH=str(EXAMPLE))
    assert (ended.code, ended.out) == (2, "")
    assert ended.line


def test_no_server_is_exit_code_5() -> None:
    """As for every command."""
    ended = caracal("rules", "table", "--server", "127.0.0.1:1", "--plaintext")
    assert ended.code == 5
    assert "no answer from the server at 127.0.0.1:1" in ended.line


def test_the_matrix_is_a_table_for_people() -> None:
    """A line a method."""
    ended = example("table")
    assert (ended.code, ended.err) == (0, "")
    (place,) = [line.split() for line in ended.out.splitlines() if " Place " in line]
    assert place == [
        *("shop.v1.Orders", "Place", "unary", "yes", "resource://orders", "orders:place", "no")
    ]
    assert "prices are in the shop window" in ended.out


def test_the_matrix_is_markdown_for_documents(faulty: Path, zone: Path) -> None:
    """With the scopes that need an approval in this zone; pipes inside texts are escaped."""
    ended = caracal("rules", "table", "--descriptor-set", faulty, "-f", zone, "--format=markdown")
    lines = ended.out.splitlines()
    assert lines[0] == (
        "| service | method | kind | declared | resource | scopes "
        "| public | public reason | step up |"
    )
    assert set(lines[1]) == set("| -")
    assert lines[-1] == (
        "| test.books.Books | Read | server stream | yes | resource://books | `books:read` "
        "| no |  | `books:read` |"
    )
    assert len(lines) == 2 + len(FAULTY)


def test_what_some_method_asks_for_besides_is_a_column(tmp_path: Path) -> None:
    """And what none does is not; programs get them all."""
    asked = {"scopes": ["books:read"], "any_scopes": ["b", "a"], "single_use": True}
    methods = {"Open": OPEN, "Read": asked}
    path = tmp_path / "books.binpb"
    path.write_bytes(FileDescriptorSet(file=[proto("test.books", methods)]).SerializeToString())
    table = ("rules", "table", "--descriptor-set", path, "--format")
    lines = caracal(*table, "markdown").out.splitlines()
    head = "| service | method | kind | declared | resource | scopes "
    assert lines[0] == f"{head}| any scopes | single use | public | public reason |"
    assert lines[-1].endswith("| `books:read` | `b` `a` | yes | no |  |")
    row = caracal(*table, "json").json["methods"][-1]
    assert (row["require_delegation"], row["max_hops"]) == (False, None)
    assert (row["chain_must_include"], row["any_scopes"]) == ([], ["b", "a"])
    assert (row["bound"], row["single_use"]) == (False, True)


def test_pipes_do_not_break_the_markdown(tmp_path: Path) -> None:
    """A reason may hold anything."""
    path = tmp_path / "books.binpb"
    odd = {"Read": {"public": True, "public_reason": "one | two\n| three"}}
    path.write_bytes(FileDescriptorSet(file=[proto("test.books", odd)]).SerializeToString())
    ended = caracal("rules", "table", "--descriptor-set", path, "--format", "markdown")
    assert r"one \| two \| three" in ended.out.splitlines()[-1]
    assert len(ended.out.splitlines()) == 3


def test_the_matrix_is_json_for_programs(faulty: Path) -> None:
    """Every column by name; what there is no rule for is null."""
    ended = caracal("rules", "table", "--descriptor-set", faulty, "--format", "json")
    forgotten = ended.json["methods"][1]
    assert (forgotten["method"], forgotten["declared"]) == ("Forgotten", False)
    assert (forgotten["scopes"], forgotten["public"]) == (None, None)
    assert ended.json["methods"][-1]["scopes"] == ["books:read"]


def test_what_a_module_prints_is_no_answer(tmp_path: Path) -> None:
    """It goes to stderr: a program reads stdout."""
    line = "from caracal_grpc.v1 import key_service_pb2\nprint('hello')\n"
    (tmp_path / "chatty_team.py").write_text(line)
    arguments = ("rules", "check", "--module", "chatty_team", "--json")
    ended = caracal(*arguments, PYTHONPATH=str(tmp_path))
    assert (ended.code, ended.json["methods"]) == (0, 6)
    assert ended.err.startswith("hello\n")


def test_a_module_that_ends_the_process_has_not_been_checked(tmp_path: Path) -> None:
    """Not even with 0."""
    (tmp_path / "ending_team.py").write_text("raise SystemExit(0)\n")
    ended = caracal("rules", "check", "--module", "ending_team", PYTHONPATH=str(tmp_path))
    assert ended.code == 2
    assert "cannot be imported (SystemExit" in ended.line
