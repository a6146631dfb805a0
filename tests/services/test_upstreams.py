"""UpstreamService on the wire: who is given a secret, and that it is nowhere else."""

from __future__ import annotations

import asyncio
import json
import logging
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import upstream_service_pb2 as pb2
from caracal_grpc.v1.upstream_pb2 import UpstreamCredential
from tests.support.authority import Running, reason_of
from tests.support.contract import promised
from tests.support.etcd import EtcdProcess
from tests.support.refusals import refused
from tests.support.shop import CARACAL, ORDERS, PAYMENTS, STOCK, shop

RELEASE = "/caracal.v1.UpstreamService/Release"


def gated() -> dict[str, Any]:
    """The shop with a gateway that may use credentials of upstreams."""
    zone = shop()
    zone["applications"].append({"name": "gateway"})
    grant = {"application": "gateway", "resource": CARACAL, "scopes": ["caracal:upstreams:use"]}
    zone["policy"]["grants"].append(grant)
    return zone


class Gate:
    """Calls of the operator and of the gateway of the shop."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.stub = running.stubs.upstreams

    async def call(self, method: str, **fields: Any) -> Any:
        """The answer to the operator."""
        request = getattr(pb2, f"UpstreamService{method}Request")(zone="shop", **fields)
        metadata = await self.running.operator()
        return await getattr(self.stub, method)(request, metadata=metadata)

    async def release(self, mandate: str, upstream: str = "crm", by: str = "gateway") -> Any:
        """The answer to an application."""
        request = pb2.UpstreamServiceReleaseRequest(zone="shop", upstream=upstream, mandate=mandate)
        return await self.stub.Release(request, metadata=await self.running.caller(by))

    async def shown(self, resource: str = ORDERS) -> str:
        """A mandate that the gateway was shown."""
        return str((await self.running.exchange("agent", resource)).mandate)


@pytest.fixture
async def gate(authority: Running) -> Gate:
    """The shop with a gateway."""
    await authority.apply(gated())
    return Gate(authority)


def bearer() -> dict[str, Any]:
    """A credential as a request has it."""
    return {"name": "crm", "resource": ORDERS, "bearer": {"token": "hunter2-and-so-on"}}


async def test_gateway_is_given_the_header(gate: Gate) -> None:
    """With when to ask again, and the entry, which is there."""
    await gate.call("Create", upstream=bearer())
    answer = await gate.release(await gate.shown())
    assert (answer.header.name, answer.header.value) == (
        "authorization",
        "Bearer hunter2-and-so-on",
    )
    assert answer.HasField("expire_time")
    assert answer.audit_id.startswith("aud_")


async def test_only_who_holds_the_scope_is_given_any(gate: Gate) -> None:
    """SCOPE_INSUFFICIENT for who may do everything else of its own."""
    await gate.call("Create", upstream=bearer())
    shown = await gate.shown()
    assert await reason_of(gate.release(shown, by="orders")) is Reason.SCOPE_INSUFFICIENT
    assert await reason_of(gate.release(shown, by="agent")) is Reason.SCOPE_INSUFFICIENT


async def test_refusals_are_those_that_were_promised(gate: Gate) -> None:
    """Each with the entry in which it is told."""
    await gate.call("Create", upstream=bearer())
    shown = await gate.shown()
    told = {
        Reason.OBJECT_NOT_FOUND: gate.release(shown, "nothing"),
        Reason.AUDIENCE_MISMATCH: gate.release(await gate.shown(STOCK)),
        Reason.MANDATE_MALFORMED: gate.release("a.b.c"),
        Reason.MANDATE_SIGNATURE_INVALID: gate.release(shown[:-8] + "AAAAAAAA"),
    }
    for reason, call in told.items():
        assert reason.value in promised(RELEASE)
        with refused(reason) as refusal:
            await call
        assert refusal.metadata["audit_id"].startswith("aud_")
    with refused(Reason.FIELD_INVALID):
        await gate.release(shown, "NO NAME")


async def test_update_takes_what_is_named_and_keeps_a_secret_that_is_left_out(gate: Gate) -> None:
    """By any mask; a kind that is set without its secret is only said again."""
    await gate.call("Create", upstream=bearer())
    masks = [None, FieldMask(paths=["*"]), FieldMask(paths=["resource", "bearer"])]
    for resource, mask in zip((PAYMENTS, ORDERS, PAYMENTS), masks, strict=True):
        sent = {"name": "crm", "resource": resource, "bearer": {}}
        done = await gate.call("Update", upstream=sent, update_mask=mask)
        assert done.upstream.resource == resource
        assert done.upstream.WhichOneof("credential") == "bearer"
    only = {"name": "crm", "resource": ORDERS}
    await gate.call("Update", upstream=only)
    answer = await gate.release(await gate.shown())
    assert answer.header.value == "Bearer hunter2-and-so-on"
    mask = FieldMask(paths=["basic"])
    login = {"name": "crm", "basic": {"username": "shop", "password": "another-one"}}
    done = await gate.call("Update", upstream=login, update_mask=mask)
    assert done.upstream.basic.username == "shop"
    answer = await gate.release(await gate.shown())
    assert answer.header.value == f"Basic {b64encode(b'shop:another-one').decode()}"


async def test_star_wants_a_credential_that_is_one(gate: Gate) -> None:
    """FIELD_INVALID: everything is taken over, and of that nothing was said."""
    await gate.call("Create", upstream=bearer())
    mask = FieldMask(paths=["*"])
    call = gate.call("Update", upstream={"name": "crm", "resource": ORDERS}, update_mask=mask)
    with refused(Reason.FIELD_INVALID) as refusal:
        await call
    assert refusal.fields == ["upstream.credential"]


FORMS = st.one_of(
    st.tuples(
        st.just("header"),
        st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=80),
    ),
    st.tuples(st.just("bearer"), st.from_regex(r"[A-Za-z0-9._~+/-]{16,80}={0,2}", fullmatch=True)),
    st.tuples(
        st.just("basic"),
        st.text(
            st.characters(min_codepoint=32, exclude_categories=("C",)), min_size=16, max_size=80
        ),
    ),
)
"""A kind of credential, and the end of a secret of it."""
_LABELS = {"header": {"name": "x-api-key"}, "bearer": {}, "basic": {"username": "shop"}}
_PLACES = {"header": "value", "bearer": "token", "basic": "password"}


def form(kind: str, secret: str, **more: Any) -> UpstreamCredential:
    """A credential with a secret."""
    part = {**_LABELS[kind], _PLACES[kind]: secret}
    return UpstreamCredential(name="crm", **{kind: part}, **more)


class Ears:
    """Hears everything that is answered, but for what releases give out."""

    def __init__(self, gate: Gate, loop: asyncio.AbstractEventLoop) -> None:
        self.gate = gate
        self.loop = loop
        self.secrets: list[str] = []
        self.heard: list[bytes] = []
        self.given: list[str] = []

    def live(self, kind: str, secret: str) -> None:
        """The whole life of a credential, with all that may go wrong in it."""
        asyncio.run_coroutine_threadsafe(self._live(kind, secret), self.loop).result(60)

    async def _live(self, kind: str, secret: str) -> None:
        gate = self.gate
        secret, again = [f"s3cret.{len(self.secrets) + each}.{secret}" for each in range(2)]
        self.secrets += [secret, again]
        await self._hear(gate.call("Create", upstream=form(kind, f"{secret}\n", resource=ORDERS)))
        await self._hear(gate.call("Create", upstream=form(kind, secret, resource="resource://no")))
        await self._hear(gate.call("Create", upstream=form(kind, secret, resource=ORDERS)))
        await self._hear(gate.call("Create", upstream=form(kind, secret, resource=ORDERS)))
        await self._hear(gate.call("Get", upstream="crm"))
        await self._hear(gate.call("List"))
        await self._hear(gate.call("Update", upstream=form(kind, secret, etag="1")))
        await self._hear(gate.call("Update", upstream=form(kind, again)))
        await self._hear(gate.release("a.b.c"))
        await self._hear(gate.release(await gate.shown(STOCK)))
        self.given.append((await gate.release(await gate.shown())).header.value)
        found = gate.running.server._authority
        assert found is not None
        self.heard.append(repr(found.state.upstreams("shop")).encode())
        await self._hear(gate.call("Delete", upstream="crm"))
        await self._hear(gate.release(await gate.shown()))

    async def _hear(self, call: Awaitable[Any]) -> None:
        try:
            self.heard.append((await call).SerializeToString())
        except grpc.aio.AioRpcError as error:
            trailing = [str(value).encode() for _, value in error.trailing_metadata() or ()]
            self.heard += [str(error).encode(), *trailing]


def traces(secret: str) -> list[bytes]:
    """A secret, and every spelling in which it might lie about."""
    raw = secret.encode()
    login = f"shop:{secret}".encode()
    encoded = [encode(each) for each in (raw, login) for encode in (b64encode, urlsafe_b64encode)]
    plain = [raw, raw.hex().encode(), json.dumps(secret).encode()[1:-1]]
    return [*plain, *(each.rstrip(b"=")[:-1] for each in encoded)]


async def test_secret_is_nowhere_but_in_a_release(
    gate: Gate, etcd: EtcdProcess, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither in an answer, a refusal, the ledger, the store and its history, a log nor a repr."""
    caplog.set_level(logging.DEBUG)
    ears = Ears(gate, asyncio.get_running_loop())

    @settings(
        max_examples=25,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(FORMS)
    def lives(drawn: tuple[str, str]) -> None:
        ears.live(*drawn)

    await asyncio.to_thread(lives)
    assert len(ears.given) >= 25
    shown = b64encode(f"shop:{ears.secrets[1]}".encode()).decode()
    assert ears.given[0].removeprefix("Bearer ").removeprefix("Basic ") in {ears.secrets[1], shown}
    folder = gate.running.folder
    content = {
        "answers": b"\n".join(ears.heard),
        "ledger": b"".join(each.read_bytes() for each in folder.rglob("ledger*")),
        "etcd": b"".join(each.read_bytes().replace(EMPTY, b"") for each in files(etcd.data_dir)),
        "logs": caplog.text.encode(),
    }
    assert b"upstream-secrets" in content["etcd"]
    assert b"upstream.release" in content["ledger"]
    for secret in ears.secrets:
        for trace in traces(secret):
            assert [name for name, found in content.items() if trace in found] == []


EMPTY = b"\0" * 512
"""What etcd fills its files up with."""


def files(folder: Path) -> list[Path]:
    """Every file below a folder."""
    return [each for each in folder.rglob("*") if each.is_file()]
