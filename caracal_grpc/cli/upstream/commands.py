"""The commands of `upstream`; none of them prints a secret, or takes one as an argument."""

from __future__ import annotations

from typing import Annotated

import typer

from caracal_grpc.cli.context import JsonOption, ProfileOption, ZoneOption, resolve
from caracal_grpc.cli.objects.calls import ask_object, list_objects
from caracal_grpc.cli.objects.options import (
    EtagOption,
    FilterOption,
    LimitOption,
    print_done,
    print_list,
    print_one,
)
from caracal_grpc.cli.terminal.bare import show_help

upstreams = typer.Typer(
    callback=show_help,
    invoke_without_command=True,
    help="Keep the credentials of what stands behind gateways; their secrets never come out.",
)

_COLUMNS = {"upstream": "name", "resource": "resource", "kind": "kind", "name in it": "label"}

NameArgument = Annotated[str, typer.Argument(metavar="UPSTREAM", help="Its name, a slug.")]
HeaderOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="The secret is the value of this header.")
]
BearerOption = Annotated[bool, typer.Option("--bearer", help="The secret is a bearer token.")]
BasicOption = Annotated[
    str | None, typer.Option(metavar="USER", help="The secret is the password of this user.")
]
ResourceOption = Annotated[
    str, typer.Option(help="The resource, or family, whose mandates a gateway may use it with.")
]


@upstreams.command("list")
def list_upstreams(
    fitting: FilterOption = "",
    limit: LimitOption = 100,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """List credentials, in the order of their names."""
    from caracal_grpc.cli.upstream.form import shown

    target = resolve(profile, zone)
    found = list_objects(target, "upstream", limit, zone=target.zone, filter=fitting)
    print_list("upstream", [shown(each) for each in found], _COLUMNS, json)


@upstreams.command("get")
def get_upstream(
    name: NameArgument,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Show one, but for its secret."""
    from caracal_grpc.cli.terminal.view import view
    from caracal_grpc.cli.upstream.form import shown

    target = resolve(profile, zone)
    found = ask_object(target, "upstream", "Get", zone=target.zone, upstream=name)
    print_one("upstream", shown(view(found.upstream)), json)


@upstreams.command("create")
def create_upstream(
    name: NameArgument,
    resource: ResourceOption,
    header: HeaderOption = None,
    bearer: BearerOption = False,
    basic: BasicOption = None,
    secret_file: Annotated[
        str | None,
        typer.Option(help="File of mode 0600 with the secret; - reads stdin. Default: asks."),
    ] = None,
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Make one; the secret is sealed, and leaves the authority for gateways only."""
    from caracal_grpc.cli.errors import usage
    from caracal_grpc.cli.upstream.form import form_of
    from caracal_grpc.cli.upstream.secret import ask_secret, read_secret
    from caracal_grpc.v1.upstream_pb2 import UpstreamCredential

    form = form_of(header, bearer, basic)
    if form is None:
        raise usage("give what the secret is: --header, --bearer or --basic")
    target = resolve(profile, zone)
    wanted = UpstreamCredential(name=name, resource=resource)
    form.put(wanted, ask_secret() if secret_file is None else read_secret(secret_file))
    done = ask_object(target, "upstream", "Create", zone=target.zone, upstream=wanted)
    print_done(done, json, f"made {name}", upstream=name)


@upstreams.command("update")
def update_upstream(
    name: NameArgument,
    resource: ResourceOption = "",
    header: HeaderOption = None,
    bearer: BearerOption = False,
    basic: BasicOption = None,
    secret_file: Annotated[
        str | None,
        typer.Option(
            help="File of mode 0600 with the new secret; - reads stdin. Default: it stays."
        ),
    ] = None,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Change its resource, what it is, or its secret. Gateways use the new one within a minute."""
    from caracal_grpc.cli.errors import usage
    from caracal_grpc.cli.upstream.form import form_in, form_of
    from caracal_grpc.cli.upstream.secret import read_secret
    from caracal_grpc.v1.upstream_pb2 import UpstreamCredential

    form = form_of(header, bearer, basic)
    if not (resource or form or secret_file):
        raise usage(
            "give what is to change: --resource, --header, --bearer, --basic or --secret-file"
        )
    target = resolve(profile, zone)
    wanted = UpstreamCredential(name=name, resource=resource, etag=etag)
    if secret_file and not form:
        found = ask_object(target, "upstream", "Get", zone=target.zone, upstream=name)
        form, wanted.etag = form_in(found.upstream), etag or found.upstream.etag
    if form:
        form.put(wanted, read_secret(secret_file) if secret_file else "")
    done = ask_object(target, "upstream", "Update", zone=target.zone, upstream=wanted)
    print_done(done, json, f"changed {name}", upstream=name)


@upstreams.command("delete")
def delete_upstream(
    name: NameArgument,
    etag: EtagOption = "",
    profile: ProfileOption = None,
    zone: ZoneOption = None,
    json: JsonOption = False,
) -> None:
    """Delete one, and its secret with it."""
    target = resolve(profile, zone)
    done = ask_object(target, "upstream", "Delete", zone=target.zone, upstream=name, etag=etag)
    print_done(done, json, f"deleted {name}", upstream=name)
