"""`exchange`: one mandate for one resource."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, Target, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, usage
from caracal_grpc.cli.options import MAX_LIFE

if TYPE_CHECKING:
    from caracal_grpc.interceptors.client.tokens import Ask

_MAX_TOKEN_FILE: Final = 16_384
_STDIN: Final = 0


def exchange(
    resource: Annotated[str, typer.Argument(help="What to call, such as resource://payments.")],
    scopes: Annotated[
        list[str] | None, typer.Argument(help="Scopes to ask for. Default: all that policy gives.")
    ] = None,
    ttl: Annotated[
        int | None, typer.Option(min=1, max=MAX_LIFE, help="Life to ask for, in seconds.")
    ] = None,
    session: Annotated[str | None, typer.Option(help="Session to act in, ses_….")] = None,
    subject_token_file: Annotated[
        Path | None, typer.Option(help="File with the mandate on whose behalf; - reads stdin.")
    ] = None,
    request_id: Annotated[
        str | None, typer.Option(help="Your id of the request: again with it, the same mandate.")
    ] = None,
    bind: Annotated[
        bool, typer.Option("--bind", help="Bind it to the client certificate of the profile.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Obtain a mandate, decided by policy and recorded in the ledger.

    Prints the mandate, which is a secret while it lives, on stdout, and the rest on stderr.
    """
    from caracal_grpc.cli.connection import run
    from caracal_grpc.cli.output import note, print_json, print_line
    from caracal_grpc.crypto.system import SystemIds
    from caracal_grpc.interceptors.client.channel import Identity
    from caracal_grpc.interceptors.client.tokens import Ask

    target = resolve(profile, zone)
    subject = _token(subject_token_file) if subject_token_file else None
    binding = Identity.of(target.profile).binding(True) if bind else None
    ask = Ask(resource, frozenset(scopes or ()), subject, session, ttl, binding)
    request_id = request_id or SystemIds().new("req")
    response = run(target, _exchange(target, ask, request_id))
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
        again = f"exchange again with --request-id {request_id} to get the same one"
        raise CliError(error.code, *error.lines, f"{lost}; {again}") from error


async def _exchange(target: Target, ask: Ask, request_id: str) -> Any:
    from caracal_grpc.cli.connection import CALL_TIMEOUT
    from caracal_grpc.interceptors.client.channel import aio_channel
    from caracal_grpc.interceptors.client.exchange import exchange_request
    from caracal_grpc.v1.token_service_pb2_grpc import TokenServiceStub

    asker = dataclasses.replace(target.profile, zone=target.zone)
    request = exchange_request(asker, ask, request_id)
    async with aio_channel(target.profile) as channel:
        stub: Any = TokenServiceStub(channel)
        return await stub.Exchange(request, timeout=CALL_TIMEOUT)


def _token(path: Path) -> str:
    try:
        source = _STDIN if str(path) == "-" else path
        with open(source, encoding="ascii", closefd=source is not _STDIN) as file:
            text = file.read(_MAX_TOKEN_FILE)
    except (OSError, UnicodeDecodeError) as exc:
        raise usage(f"--subject-token-file {path} cannot be read; it must hold a mandate") from exc
    if not text.strip():
        raise usage(f"--subject-token-file {path} is empty; it must hold a mandate")
    return text.strip()
