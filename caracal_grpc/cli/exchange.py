"""`exchange`: one mandate for one resource."""

from __future__ import annotations

import dataclasses
from contextlib import AbstractContextManager, nullcontext
from io import StringIO
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError
from caracal_grpc.cli.terminal.options import MAX_LIFE
from caracal_grpc.cli.token_file import read_token

if TYPE_CHECKING:
    from caracal_grpc.interceptors.client.tokens import Ask


def exchange(
    resource: Annotated[str, typer.Argument(help="What to call, such as resource://payments.")],
    scopes: Annotated[
        list[str] | None, typer.Argument(help="Scopes to ask for. Default: all that policy gives.")
    ] = None,
    ttl: Annotated[
        int | None, typer.Option(min=1, max=MAX_LIFE, help="Life to ask for, in seconds.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session to act in, ses_….")] = None,
    generation: Annotated[
        int, typer.Option(min=0, help="Generation of your lease, to act in a service session.")
    ] = 0,
    subject_token_file: Annotated[
        Path | None, typer.Option(help="File with the mandate on whose behalf; - reads stdin.")
    ] = None,
    actor_token_file: Annotated[
        Path | None, typer.Option(help="File with your own mandate, whose session acts.")
    ] = None,
    approval: Annotated[
        str | None, typer.Option(help="Approval that releases the request, apr_….")
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait for the approval if one is needed, and go on.")
    ] = False,
    timeout: Annotated[
        int, typer.Option(min=1, max=MAX_LIFE, help="How long to wait for it, in seconds.")
    ] = 600,
    request_id: Annotated[
        str | None, typer.Option(help="Your id of the request: again with it, the same mandate.")
    ] = None,
    bind: Annotated[
        bool, typer.Option("--bind", help="Bind it to the client certificate of the profile.")
    ] = False,
    receipt: Annotated[
        Path | None,
        typer.Option(help="New file for the proof that it is recorded, for audit verify."),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Obtain a mandate, decided by policy and recorded in the ledger.

    Prints the mandate, which is a secret while it lives, on stdout, and the rest on stderr.
    """
    from caracal_grpc.cli.audit.receipt import proof_json
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.terminal.output import note, print_json, print_line
    from caracal_grpc.crypto.system import SystemIds
    from caracal_grpc.interceptors.client.channel import Identity
    from caracal_grpc.interceptors.client.tokens import Ask

    target = resolve(profile, zone)
    files = {"--subject-token-file": subject_token_file, "--actor-token-file": actor_token_file}
    subject, actor = (
        read_token(option, path, "a mandate") if path else None for option, path in files.items()
    )
    binding = Identity.of(target.profile).binding(True) if bind else None
    request_id = request_id or SystemIds().new("req")
    ask = Ask(
        resource,
        frozenset(scopes or ()),
        subject,
        session,
        ttl,
        binding,
        generation=generation,
        approval=approval,
        request_id=request_id,
        actor_token=actor,
        receipt=receipt is not None,
    )
    with _receipt_file(receipt) as proof:
        response, ask = run(target, _exchange(target, ask, timeout if wait else None))
        proof.write(proof_json(response.receipt))
    scope, life = " ".join(response.scopes), response.expires_in.seconds
    try:
        if json:
            facts = {"mandate": response.mandate, "expires_in": life}
            print_json({**facts, "scope": scope, "audit_id": response.audit_id})
        else:
            note(f"scope {scope}; for {life} s; decided in {response.audit_id}")
            print_line(response.mandate)
    except CliError as error:
        lost = f"the mandate decided in {response.audit_id} is lost, and lives for {life} s"
        released = f" --approval {ask.approval}" if ask.approval else ""
        again = f"exchange again with --request-id {request_id}{released} to get the same one"
        raise CliError(error.code, *error.lines, f"{lost}; {again}") from error


def _receipt_file(path: Path | None) -> AbstractContextManager[IO[str]]:
    """Where the receipt goes: opened before the mandate is made, which must not be lost for it."""
    from caracal_grpc.cli.audit.written import written

    return nullcontext(StringIO()) if path is None else written(path)


async def _exchange(target: Target, ask: Ask, patience: int | None) -> tuple[Any, Ask]:
    """The answer, and the request that it is to: with an approval, when one was waited for."""
    import grpc.aio

    from caracal_grpc.cli.approval.held import approval_of, wait_decided

    try:
        return await answer(target, ask), ask
    except grpc.aio.AioRpcError as error:
        approval = approval_of(error)
        if patience is None or not approval:
            raise
    await wait_decided(target, approval, patience)
    released = dataclasses.replace(ask, approval=approval)
    return await answer(target, released), released


async def answer(target: Target, ask: Ask) -> Any:
    """The answer to one exchange; a refusal is a `grpc.RpcError`."""
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.interceptors.client.channel import aio_channel
    from caracal_grpc.interceptors.client.exchange import exchange_request
    from caracal_grpc.v1.token_service_pb2_grpc import TokenServiceStub

    asker = dataclasses.replace(target.profile, zone=target.zone)
    request = exchange_request(asker, ask)
    async with aio_channel(target.profile) as channel:
        stub: Any = TokenServiceStub(channel)
        return await stub.Exchange(request, timeout=CALL_TIMEOUT)
