"""What an application authenticates by, besides its secrets, as options say it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from caracal_grpc.cli.terminal.options import service_account

SpiffeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--spiffe-id", help="SPIFFE id that it authenticates by, * for a segment; again for more."
    ),
]
DnsOption = Annotated[
    list[str] | None,
    typer.Option("--dns-name", help="The same by a DNS name of a client certificate."),
]
ThumbprintOption = Annotated[
    list[str] | None,
    typer.Option("--certificate-thumbprint", help="The same by a certificate, x5t#S256."),
]
KubernetesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--kubernetes",
        metavar="ISSUER/NAMESPACE/ACCOUNT",
        help="The same by a service account of a workload issuer of the zone.",
    ),
]
KeysOption = Annotated[
    Path | None,
    typer.Option("--jwks", help="File with the public keys of its own assertions, a JWK set."),
]
AssertionOption = Annotated[
    str | None,
    typer.Option(
        "--assertion-file",
        help="Its token: a JWT-SVID, or a projected token of Kubernetes; read anew as it changes.",
    ),
]
ClientKeyOption = Annotated[
    str | None,
    typer.Option("--client-key-file", help="The private key that it signs assertions with."),
]
CertificateOption = Annotated[
    str | None, typer.Option("--cert-file", help="Its client certificate, with --key-file.")
]
CertificateKeyOption = Annotated[
    str | None, typer.Option("--key-file", help="The private key of --cert-file.")
]


def proven_by(
    spiffe_ids: list[str] | None,
    dns_names: list[str] | None,
    thumbprints: list[str] | None,
    accounts: list[str] | None,
    jwks: Path | None,
) -> dict[str, Any]:
    """The fields of what it authenticates by, those that options give."""
    from caracal_grpc.v1.application_pb2 import KubernetesIdentity, WorkloadIdentity

    identities = [
        *(WorkloadIdentity(spiffe_id=each) for each in spiffe_ids or []),
        *(WorkloadIdentity(dns_name=each) for each in dns_names or []),
        *(WorkloadIdentity(certificate_thumbprint=each) for each in thumbprints or []),
        *(
            WorkloadIdentity(kubernetes=KubernetesIdentity(**service_account(each)))
            for each in accounts or []
        ),
    ]
    said = {"identities": identities, "jwks": _text(jwks) if jwks else ""}
    return {name: value for name, value in said.items() if value}


def files_of_proof(
    assertion: str | None, client_key: str | None, certificate: str | None, key: str | None
) -> dict[str, str]:
    """The settings of a profile without a secret, those that options give."""
    said = {
        "client_assertion_file": assertion,
        "client_key_file": client_key,
        "cert_file": certificate,
        "key_file": key,
    }
    return {setting: file for setting, file in said.items() if file}


def _text(file: Path) -> str:
    from caracal_grpc.cli.errors import usage

    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise usage(f"--jwks {file} cannot be read as text; name a file with a JWK set") from exc
