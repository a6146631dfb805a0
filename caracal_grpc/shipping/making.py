"""Sinks out of settings; what is wrong with a file that they name is told by its path in them."""

from __future__ import annotations

import socket
import ssl
from functools import partial
from pathlib import Path

from caracal_grpc.core.errors import field_invalid
from caracal_grpc.settings.files import read_certificates, read_pair, read_secret
from caracal_grpc.settings.receivers import FileSink, HttpSink, ParquetSink, SyslogSink
from caracal_grpc.settings.shipping import SinkSettings
from caracal_grpc.shipping.formats.table import FORMATS
from caracal_grpc.shipping.port import Format, Sink
from caracal_grpc.shipping.sinks.file import FileDelivery
from caracal_grpc.shipping.sinks.http import HttpDelivery
from caracal_grpc.shipping.sinks.syslog import SyslogDelivery
from caracal_grpc.shipping.sinks.syslog_message import Header


def make_sink(name: str, settings: SinkSettings) -> Sink:
    """The sink that the settings `name` describe; raises `FIELD_INVALID`."""
    array = settings.http is not None and settings.http.layout == "array"
    form = FORMATS[settings.format](array)
    place = f"sinks.{name}"
    if settings.file is not None:
        return _file(f"{place}.file", settings.file, form)
    if settings.http is not None:
        return _http(f"{place}.http", settings.http, form)
    if settings.syslog is not None:
        return _syslog(f"{place}.syslog", settings.syslog, form)
    if settings.parquet is not None:
        return _parquet(f"{place}.parquet", settings.parquet)
    raise field_invalid(place, "must have a receiver")


def _file(place: str, settings: FileSink, form: Format) -> Sink:
    if not settings.path.parent.is_dir():
        raise field_invalid(f"{place}.path", f"{settings.path.parent} is no folder; make it")
    return FileDelivery(settings, form)


def _http(place: str, settings: HttpSink, form: Format) -> Sink:
    read_secret(f"{place}.token_file", settings.token_file)
    _require_pair(place, settings.pair)
    return HttpDelivery(settings, form, read_certificates(f"{place}.ca_file", settings.ca_file))


def _parquet(place: str, settings: ParquetSink) -> Sink:
    try:
        from caracal_grpc.shipping.sinks.parquet import ParquetDelivery
    except ImportError as error:
        text = "needs pyarrow: pip install 'caracal-grpc[parquet]'"
        raise field_invalid(place, text) from error
    if not settings.path.is_dir():
        raise field_invalid(f"{place}.path", f"{settings.path} is no folder; make it")
    return ParquetDelivery(settings)


def _syslog(place: str, settings: SyslogSink, form: Format) -> Sink:
    read_certificates(f"{place}.ca_file", settings.ca_file)
    _require_pair(place, settings.pair)
    hostname = settings.hostname or _own_name()
    header = Header(settings.facility, hostname, settings.app_name, settings.enterprise_number)
    return SyslogDelivery(settings, header, form, partial(_tls, settings))


def _tls(settings: SyslogSink) -> ssl.SSLContext:
    """Whom to trust and what to show, as the files have it now; raises `OSError`."""
    tls = ssl.create_default_context(cafile=settings.ca_file)
    tls.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.pair is not None:
        # A key that has a password is an error, and no question at the terminal.
        tls.load_cert_chain(*settings.pair, password=lambda: "")
    return tls


def _require_pair(place: str, pair: tuple[Path, Path] | None) -> None:
    if pair is not None:
        read_pair(f"{place}.cert_file", pair[0], f"{place}.key_file", pair[1])


def _own_name() -> str:
    """The name of this machine, if a header can hold it (RFC 5424 section 6.2.4)."""
    name = socket.gethostname()[:255]
    return name if name and all("!" <= each <= "~" for each in name) else "-"
