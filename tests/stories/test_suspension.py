"""A session is suspended and resumed, and every guard goes along at once."""

from __future__ import annotations

from caracal_grpc.core.reason import Reason
from caracal_grpc.v1 import session_service_pb2
from tests.stories.edges import both, each, ending
from tests.stories.support import profile_of
from tests.support.authority import Running
from tests.support.shop import ORDERS


async def test_guards_refuse_until_it_is_resumed(authority: Running) -> None:
    """The same mandate serves, is refused with its open stream, and serves again."""
    metadata = await authority.caller("agent")
    stub = authority.stubs.sessions
    started = await stub.Start(
        session_service_pb2.SessionServiceStartRequest(zone="shop"), metadata=metadata
    )
    session = started.session.id
    child = await stub.Start(
        session_service_pb2.SessionServiceStartRequest(zone="shop", parent_id=session),
        metadata=metadata,
    )
    issued = await authority.exchange("agent", ORDERS, session_id=child.session.id)
    async with both(profile_of(authority, "orders")) as services:
        # 1. The mandate of a session below it serves, and a stream is open.
        streams = [await service.follow(issued.mandate) for service in services]
        # 2. Suspended: the streams are cut, and no call is let in any more.
        await stub.Suspend(
            session_service_pb2.SessionServiceSuspendRequest(zone="shop", id=session),
            metadata=metadata,
        )
        assert await each(map(ending, streams)) == [Reason.MANDATE_REVOKED] * 2
        for service in services:
            assert await service.reason(issued.mandate) is Reason.MANDATE_REVOKED
        # 3. Resumed: it serves again, and nothing had to be issued anew.
        await stub.Resume(
            session_service_pb2.SessionServiceResumeRequest(zone="shop", id=session),
            metadata=metadata,
        )
        for service in services:
            await service.says(issued.mandate, None)
            call = await service.follow(issued.mandate)
            call.cancel()
