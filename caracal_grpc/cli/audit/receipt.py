"""`audit receipt`, `checkpoint`, `consistency`: what an auditor keeps, to check things offline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from caracal_grpc.cli.audit.written import OutOption, hand_out
from caracal_grpc.cli.context import ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.errors import CliError, ExitCode

if TYPE_CHECKING:
    from google.protobuf.message import Message


def receipt(
    identifier: Annotated[str, typer.Argument(help="An entry: aud_…, or its index.")],
    out: OutOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
) -> None:
    """Fetch the proof that an entry is in the ledger, as JSON that audit verify checks offline."""
    from caracal_grpc.v1.audit_service_pb2 import GetInclusionProofRequest

    request = GetInclusionProofRequest()
    if identifier.isdecimal() and len(identifier) < 19:
        request.index = int(identifier)
    else:
        request.audit_id = identifier
    answer = _ask("GetInclusionProof", request, profile, zone)
    hand_out(proof_json(answer.receipt), out)


def checkpoint(
    out: OutOption = None,
    cosigned: Annotated[
        bool, typer.Option("--cosigned", help="The newest that a witness has cosigned.")
    ] = False,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
) -> None:
    """Fetch the signed root over the ledger: keep it, for later audit verify --checkpoint."""
    from caracal_grpc.cli.terminal.output import note
    from caracal_grpc.v1.audit_service_pb2 import GetCheckpointRequest

    answer = _ask("GetCheckpoint", GetCheckpointRequest(), profile, zone)
    if cosigned and not answer.HasField("cosigned"):
        raise CliError(ExitCode.STATE, "no witness has cosigned a checkpoint of this zone yet")
    found = answer.cosigned if cosigned else answer.checkpoint
    hand_out(found.note, out)
    note(f"signed by {found.verifier_key}")


def consistency(
    first: Annotated[int, typer.Option("--from", min=1, help="Size of the older checkpoint.")],
    second: Annotated[
        int | None, typer.Option("--to", min=1, help="Size of the newer one. Default: the newest.")
    ] = None,
    out: OutOption = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
) -> None:
    """Fetch the proof that the ledger only grew from one size to another, as JSON."""
    from caracal_grpc.v1.audit_service_pb2 import GetConsistencyProofRequest

    request = GetConsistencyProofRequest(first_size=first, second_size=second or 0)
    hand_out(proof_json(_ask("GetConsistencyProof", request, profile, zone)), out)


def _ask(method: str, request: Any, profile: str | None, zone: str | None) -> Any:
    from caracal_grpc.cli.connection import ask
    from caracal_grpc.v1.audit_service_pb2_grpc import AuditServiceStub

    target = resolve(profile, zone)
    request.zone = target.zone
    return ask(target, AuditServiceStub, method, request)


def proof_json(message: Message) -> str:
    """The message in the JSON of protobuf, on one line."""
    from google.protobuf.json_format import MessageToJson

    return (
        MessageToJson(
            message,
            indent=None,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        + "\n"
    )
