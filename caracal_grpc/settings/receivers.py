"""The settings of receivers: files, HTTP servers, syslog servers, folders of a warehouse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Final, Literal
from urllib.parse import SplitResult, urlsplit

from pydantic import Field

from caracal_grpc.outbound.egress import LOOPBACK, Network
from caracal_grpc.settings.addresses import MAX_PORT, is_loopback, is_network
from caracal_grpc.settings.document import FilePath, Part

_ADDRESS: Final = re.compile(r"[^:/\s]+:\d{1,5}|\[[0-9A-Fa-f:.]+\]:\d{1,5}")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]{1,255}")


class FileSink(Part):
    """Lines in a file that is rotated."""

    path: FilePath
    """The file, mode 0600; full ones are beside it as `<name>.00000001` and on."""
    max_bytes: Annotated[int, Field(ge=4096)] = 64 << 20
    """It is rotated before it is larger, unless a single line is."""
    max_seconds: Annotated[int, Field(ge=1)] | None = None
    """A file holds what was written within one such period, counted from the Unix epoch: 86400
    makes one a day, in UTC."""
    keep: Annotated[int, Field(ge=1, le=100_000)] = 7
    """How many full files are kept; the oldest are deleted."""


class _TlsClient(Part):
    """What shows a certificate to a server that asks for one."""

    cert_file: FilePath | None = None
    """Our certificate chain, PEM."""
    key_file: FilePath | None = None
    """Its private key, PEM, mode 0600."""

    @property
    def pair(self) -> tuple[Path, Path] | None:
        """The certificate chain and its key; `None` without them."""
        if self.cert_file is None or self.key_file is None:
            return None
        return self.cert_file, self.key_file


class HttpSink(_TlsClient):
    """Batches by HTTP POST."""

    url: str
    """https, or http on loopback."""
    layout: Literal["lines", "array"] = "lines"
    """What a batch of objects is: JSON lines, or one JSON array."""
    token_file: FilePath | None = None
    """The credential, mode 0600; read anew for each batch."""
    header: str = "Authorization"
    """The header that it goes into."""
    scheme: str = "Bearer"
    """What stands before it there; empty for nothing."""
    gzip: bool = False
    """Whether bodies are compressed."""
    ca_file: FilePath | None = None
    """CAs that are trusted besides those of the system, PEM."""
    egress_allow: list[str] = Field([])
    """Networks such as 10.1.0.0/16 that the server may be in, besides the internet."""
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    """For one batch."""

    def networks(self) -> tuple[Network, ...]:
        """Those that may be called besides the internet; loopback, too, when the URL is http."""
        own = LOOPBACK if self.url.startswith("http:") else ()
        return (*map(ip_network, self.egress_allow), *own)


class SyslogSink(_TlsClient):
    """RFC 5424 messages over TLS (RFC 5425).

    Syslog has no acknowledgement. A batch counts as delivered when the receiver's system has taken
    all of its bytes and the connection has stood for `settle_seconds` after that; else it is sent
    again, on a new connection. What a receiver took and lost itself later, nobody can tell.
    """

    address: str
    """`host:port`; the port of syslog over TLS is 6514."""
    server_name: str = ""
    """The name in the server's certificate; by default the host."""
    ca_file: FilePath | None = None
    """The CA of the server, PEM; by default those of the system."""
    facility: Annotated[int, Field(ge=0, le=23)] = 13
    """13 is log audit."""
    hostname: str = ""
    """By default that of this machine."""
    app_name: str = "caracal-grpc"
    enterprise_number: Annotated[int, Field(ge=1, le=2**31)] = 32473
    """Of whom the structured data is, `caracal@<number>`: yours, if you have one; by default that
    of examples (RFC 5612)."""
    settle_seconds: Annotated[float, Field(ge=0, le=60)] = 0.2
    timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    """For a connection, and for a batch."""


class ParquetSink(Part):
    """Files for a warehouse, one for each batch and day; their columns are the format."""

    path: FilePath
    """The folder that they are put into, in `zone=…/date=…`. Files are never deleted."""
    compression: Literal["zstd", "snappy", "gzip", "none"] = "zstd"


def host_of(address: str) -> str:
    """The host of `host:port`, an IPv6 address without its brackets."""
    return address.rpartition(":")[0].strip("[]")


Problems = Iterator[tuple[str, str]]
"""Fields of a sink, each with what is wrong with it."""


def http_problems(sink: HttpSink) -> Problems:
    """What is unsafe in it, or cannot be read."""
    if problem := _url_problem(sink.url):
        yield "url", problem
    strange = [network for network in sink.egress_allow if not is_network(network)]
    if strange:
        yield "egress_allow", f"{strange[0]} is not a network such as 10.1.0.0/16"
    if not _TOKEN.fullmatch(sink.header):
        yield "header", "must be the name of a header"
    if sink.scheme and not _TOKEN.fullmatch(sink.scheme):
        yield "scheme", "must be one word, or empty"
    yield from _pair_problems(sink)


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "cannot be read as a URL"
    if not parts.hostname or port == 0 or not url.isprintable():
        return "cannot be read as a URL"
    if parts.username is not None or parts.password is not None:
        return "holds a user name or a password; use token_file"
    return "" if _is_safe(parts) else "must be https, or http on loopback"


def _is_safe(parts: SplitResult) -> bool:
    return parts.scheme == "https" or (
        parts.scheme == "http" and is_loopback(f"[{parts.hostname}]:{parts.port or 80}")
    )


def syslog_problems(sink: SyslogSink) -> Problems:
    """What is missing in it, or cannot be read."""
    fits = _ADDRESS.fullmatch(sink.address)
    if not fits or not 0 < int(sink.address.rpartition(":")[2]) <= MAX_PORT:
        yield "address", "must be host:port, such as siem.example:6514"
    yield from _pair_problems(sink)
    if sink.hostname and not _PRINTABLE.fullmatch(sink.hostname):
        yield "hostname", "must be at most 255 printable ASCII characters without spaces"
    if not _PRINTABLE.fullmatch(sink.app_name) or len(sink.app_name) > 48:
        yield "app_name", "must be at most 48 printable ASCII characters without spaces"


def _pair_problems(sink: _TlsClient) -> Problems:
    if bool(sink.cert_file) != bool(sink.key_file):
        missing = "key_file" if sink.cert_file else "cert_file"
        yield missing, "must be set too; a client certificate needs both"
