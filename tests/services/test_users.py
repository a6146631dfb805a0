"""Sessions for users on the wire: from an ID token to the handler that knows whom it serves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from caracal_grpc.core.mandate import Mandate
from caracal_grpc.core.reason import Reason
from caracal_grpc.core.rule import Rule
from caracal_grpc.core.user import User
from caracal_grpc.interceptors import connect, current_mandate
from caracal_grpc.interceptors.profile import Profile
from caracal_grpc.interceptors.rules.rules import Rules
from caracal_grpc.v1 import mandate_pb2, session_pb2, session_service_pb2
from tests.support.authority import Running, Starter
from tests.support.echo import Journal, path
from tests.support.echo_aio import aio_handlers
from tests.support.echo_client import EchoClient, bearing
from tests.support.etcd_tls import CertificateAuthority
from tests.support.foreign import ForeignSigner
from tests.support.idp import IdentityProvider, identity_provider
from tests.support.refusals import refused
from tests.support.shop import ORDERS, shop
from tests.support.tls import write_tls

RULES = Rules([Rule(path("Unary"), ORDERS, frozenset({"orders:place"}))])
LOOPBACK = ["127.0.0.0/8", "::1/128"]


@dataclass
class Witness(Journal):
    """Keeps the mandates that handlers ran under."""

    mandates: list[Mandate] = field(default_factory=list)

    def note(self, name: str) -> str:
        """As its parent, and keeps the whole."""
        self.mandates.append(current_mandate())
        return super().note(name)


@pytest.fixture
async def idp() -> AsyncIterator[IdentityProvider]:
    """A provider that signs as many do."""
    async with identity_provider(signer=ForeignSigner.generate("RS256")) as provider:
        yield provider


def zone(idp: IdentityProvider) -> dict[str, Any]:
    """The shop, where the agent places orders for users of corp."""
    declared = shop(issuers=[{"name": "corp", **idp.declared()}])
    declared["policy"]["grants"].append(
        {
            "application": "agent",
            "resource": ORDERS,
            "scopes": ["orders:place"],
            "users": ["corp/*"],
        }
    )
    return declared


async def start(authority: Running, id_token: str) -> session_pb2.Session:
    """A session of the agent for the user of the token."""
    request = session_service_pb2.SessionServiceStartRequest(zone="shop", id_token=id_token)
    metadata = await authority.caller("agent")
    response = await authority.stubs.sessions.Start(request, metadata=metadata)
    assert response.revision > 0
    assert response.audit_id.startswith("aud_")
    session: session_pb2.Session = response.session
    return session


@asynccontextmanager
async def service(authority: Running) -> AsyncIterator[tuple[EchoClient, Witness]]:
    """Orders, behind the guard of an edge of its own, and a channel to it."""
    client = authority.credentials["shop", "orders"]
    profile = Profile(
        authority=authority.address,
        zone="shop",
        issuer="https://a.example/zones/shop",
        application_id=client.application_id,
        client_secret=client.client_secret,
        plaintext=True,
    )
    witness = Witness()
    async with connect(profile, rules=RULES) as edge:
        server = grpc.aio.server(interceptors=[await edge.guard()])
        port = server.add_insecure_port("127.0.0.1:0")
        server.add_generic_rpc_handlers((aio_handlers(witness),))
        await server.start()
        await edge.ready(10)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield EchoClient(channel), witness
        await server.stop(None)


async def test_user_reaches_the_handler(start_authority: Starter, idp: IdentityProvider) -> None:
    """Who they are and who acts for them; revoked, they reach nothing any more."""
    authority = await start_authority(egress_allow=LOOPBACK)
    await authority.apply(zone(idp))
    alice = User(idp.issuer, "alice", "corp/alice")
    session = await start(authority, idp.id_token("alice"))
    assert (session.subject, session.subject_type) == (alice.id, mandate_pb2.SUBJECT_TYPE_USER)
    assert (session.user.issuer, session.user.subject) == (alice.issuer, "alice")
    assert session.user.name == "corp/alice"
    issued = await authority.exchange("agent", ORDERS, session_id=session.id)
    async with service(authority) as (client, witness):
        await client.call("Unary", bearing(issued.mandate))
        mandate = witness.mandates[0]
        assert (mandate.subject, mandate.subject_type) == (alice.id, "user")
        assert mandate.user == alice
        agent = authority.credentials["shop", "agent"].application_id
        assert [(hop.application, hop.session) for hop in mandate.chain] == [(agent, session.id)]
        await authority.revoke(alice.id)
        async with asyncio.timeout(10):
            with refused(Reason.MANDATE_REVOKED) as seen:
                while True:  # until the edge has heard of it
                    await client.call("Unary", bearing(issued.mandate))
        assert seen.metadata["anchor"] == alice.id
    with refused(Reason.SESSION_NOT_ACTIVE):
        await authority.exchange("agent", ORDERS, session_id=session.id)
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await start(authority, idp.id_token("alice"))
    assert seen.metadata["cause"] == "MANDATE_REVOKED"


async def test_issuer_with_a_certificate_of_its_own(
    start_authority: Starter, tmp_path: Path
) -> None:
    """An issuer in one's own network has a CA of one's own, which the system does not know."""
    ca = CertificateAuthority()
    files = write_tls(tmp_path, ca, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    async with identity_provider(tls=context) as idp:
        assert idp.issuer.startswith("https://")
        authority = await start_authority(egress_allow=LOOPBACK, egress_ca_file=files.ca)
        await authority.apply(zone(idp))
        assert (await start(authority, idp.id_token("bob"))).user.name == "corp/bob"


async def test_bad_id_token_on_the_wire(start_authority: Starter, idp: IdentityProvider) -> None:
    """The cause is told; what is far too long is not even read."""
    authority = await start_authority(egress_allow=LOOPBACK)
    await authority.apply(zone(idp))
    with refused(Reason.SUBJECT_TOKEN_INVALID) as seen:
        await start(authority, idp.id_token(aud="another"))
    assert seen.metadata["cause"] == "AUDIENCE_MISMATCH"
    with refused(Reason.FIELD_INVALID) as seen:
        await start(authority, "x" * 16_385)
    assert seen.fields == ["id_token"]


async def test_loopback_is_not_asked_unless_allowed(
    start_authority: Starter, idp: IdentityProvider
) -> None:
    """ISSUER_UNAVAILABLE: whoever may declare zones may not thereby look around."""
    authority = await start_authority()
    await authority.apply(zone(idp))
    with refused(Reason.ISSUER_UNAVAILABLE) as seen:
        await start(authority, idp.id_token())
    assert seen.metadata["issuer"] == "corp"
    assert idp.web.requests == []
