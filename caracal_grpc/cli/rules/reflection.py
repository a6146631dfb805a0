"""What a running server says of itself: its services, over gRPC's reflection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.message import DecodeError

from caracal_grpc.cli.errors import CliError, ExitCode, of_status, usage
from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.interceptors.rules.sources import MAX_SET_BYTES, Services, linked
from caracal_grpc.settings.addresses import is_loopback

if TYPE_CHECKING:
    from google.protobuf.descriptor import ServiceDescriptor
    from google.protobuf.descriptor_pool import DescriptorPool

TIMEOUT: Final = 30.0
"""Seconds for the whole conversation."""

_MAX_MESSAGE: Final = 16 << 20
_MAX_FILES: Final = 10_000
_MAX_SERVICES: Final = 2_000
_MAX_SAID: Final = 300

# The same messages under two names: newer servers have the first, older ones only the second.
_METHODS: Final = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)


@dataclass(frozen=True, slots=True)
class Server:
    """A server to ask, `host:port`: over TLS, or in plaintext on loopback only."""

    address: str
    plaintext: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    server_name: str | None = None

    def __post_init__(self) -> None:
        given = [self.ca_file, self.cert_file, self.key_file, self.server_name]
        if self.plaintext and any(given):
            raise usage("--plaintext goes with no option of TLS; remove one")
        if self.plaintext and not is_loopback(self.address):
            raise usage("--plaintext is for a server on loopback only; leave it out to use TLS")
        if (self.cert_file is None) != (self.key_file is None):
            raise usage("--cert-file and --key-file go together; a client certificate needs both")

    def channel(self) -> grpc.Channel:
        """A channel to it."""
        options: list[tuple[str, Any]] = [("grpc.max_receive_message_length", _MAX_MESSAGE)]
        if self.plaintext:  # on loopback, where no proxy of the environment leads
            options.append(("grpc.enable_http_proxy", 0))
            return grpc.insecure_channel(self.address, options=options)
        if self.server_name:
            options.append(("grpc.ssl_target_name_override", self.server_name))
        files = (self.ca_file, self.key_file, self.cert_file)
        credentials = grpc.ssl_channel_credentials(*map(_pem, files))
        return grpc.secure_channel(self.address, credentials, options=options)


def served(server: Server) -> Services:
    """The services that `server` lists; raises `CliError`, and `FIELD_INVALID` for a bad answer."""
    with server.channel() as channel:
        try:
            return _asked_in_turn(server, channel)
        except grpc.RpcError as error:
            raise _failed(server, error) from error


def _asked_in_turn(server: Server, channel: grpc.Channel) -> Services:
    newer, older = _METHODS
    try:
        return _asked(server, channel, newer)
    except grpc.RpcError as error:
        if _code(error) is not grpc.StatusCode.UNIMPLEMENTED:
            raise
    return _asked(server, channel, older)


def _asked(server: Server, channel: grpc.Channel, method: str) -> Services:
    from grpc_reflection.v1alpha import reflection_pb2

    open_call = channel.stream_stream(
        method,
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    questions: SimpleQueue[Any] = SimpleQueue()
    call = open_call(iter(questions.get, None), timeout=TIMEOUT)
    try:
        talk = _Talk(server.address, questions, call)
        names = talk.services()
        for name in names:
            talk.add(file_containing_symbol=name)
        talk.add_imports()
    finally:
        questions.put(None)
        call.cancel()
    pool = linked(server.address, talk.files.values())
    return tuple(_service(server.address, pool, name) for name in names)


@dataclass(slots=True)
class _Talk:
    """One conversation, a question at a time; bounded, since nothing is known of the other side."""

    address: str
    questions: SimpleQueue[Any]
    call: Iterator[Any]
    files: dict[str, FileDescriptorProto] = field(default_factory=dict)
    size: int = 0

    def services(self) -> list[str]:
        """The full names of what the server lists, sorted."""
        response = self._ask(list_services="*")
        names = sorted({each.name for each in response.list_services_response.service})
        if not names or len(names) > _MAX_SERVICES:
            raise self._refused(f"must list between one and {_MAX_SERVICES} services")
        return names

    def add(self, **question: str) -> None:
        """Takes the protos that answer one question; none when there are none."""
        response = self._ask(**question)
        for content in response.file_descriptor_response.file_descriptor_proto:
            self.size += len(content)
            if self.size > MAX_SET_BYTES or len(self.files) > _MAX_FILES:
                raise self._refused(f"has more than {_MAX_FILES} protos, or too large ones")
            try:
                file = FileDescriptorProto.FromString(content)
            except DecodeError as exc:
                raise self._refused("answers reflection with what is no proto") from exc
            self.files.setdefault(file.name, file)

    def add_imports(self) -> None:
        """Asks for what is imported and was not sent along, once each."""
        asked: set[str] = set()
        while missing := sorted(set(self._imports()) - self.files.keys() - asked):
            for name in missing:
                self.add(file_by_filename=name)
            asked.update(missing)

    def _imports(self) -> Iterator[str]:
        return (name for file in self.files.values() for name in file.dependency)

    def _ask(self, **question: Any) -> Any:
        from grpc_reflection.v1alpha import reflection_pb2

        self.questions.put(reflection_pb2.ServerReflectionRequest(**question))
        response = next(self.call, None)
        if response is None:
            raise self._refused("ended reflection before it had answered")
        return response

    def _refused(self, text: str) -> CaracalError:
        return field_invalid(self.address, text)


def _service(address: str, pool: DescriptorPool, name: str) -> ServiceDescriptor:
    try:
        return pool.FindServiceByName(name)
    except KeyError as exc:
        text = f"lists {name} and has no proto of it; give reflection the proto, or the name right"
        raise field_invalid(address, text) from exc


def _pem(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise usage(f"{path} cannot be read: {exc.strerror}") from exc
    if b"-----BEGIN" not in content:
        raise usage(f"{path} must hold PEM")
    return content


def _code(error: grpc.RpcError) -> grpc.StatusCode:
    raised: Any = error
    code: grpc.StatusCode = raised.code()
    return code


def _failed(server: Server, error: grpc.RpcError) -> CliError:
    raised: Any = error
    name = _code(error).name
    where = f"the server at {server.address}"
    if _code(error) is grpc.StatusCode.UNIMPLEMENTED:
        return usage(f"{where} serves no reflection; turn it on there, or give --descriptor-set")
    code = of_status(name)
    if code is ExitCode.UNAVAILABLE:
        way = "speaks plaintext" if server.plaintext else "speaks TLS that --ca-file vouches for"
        return CliError(code, f"no answer from {where}; check that it runs and {way}")
    said = str(raised.details() or "no more is known")[:_MAX_SAID]
    return CliError(code, f"{where} answered {name}: {said}")
