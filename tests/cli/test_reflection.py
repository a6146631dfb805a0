"""Services of running servers, over reflection: every way that servers answer, and bounds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection, reflection_pb2

from caracal_grpc.cli.errors import CliError, ExitCode
from caracal_grpc.cli.rules import reflection as asking
from caracal_grpc.cli.rules.reflection import Server, served
from caracal_grpc.core.errors import CaracalError
from tests.support.etcd_tls import CertificateAuthority
from tests.support.protos import FAULTY, proto

BOOKS = "test.books.Books"
V1 = "grpc.reflection.v1.ServerReflection"
ALPHA = "grpc.reflection.v1alpha.ServerReflection"
Serve = Callable[..., str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server of these handlers on loopback, until the test ends; gives its address."""
    with ExitStack() as stack:

        def start(
            *handlers: grpc.GenericRpcHandler, tls: grpc.ServerCredentials | None = None
        ) -> str:
            pool = stack.enter_context(ThreadPoolExecutor(4))
            server = grpc.server(pool, handlers=handlers)
            if tls is None:
                port = server.add_insecure_port("127.0.0.1:0")
            else:
                port = server.add_secure_port("127.0.0.1:0", tls)
            server.start()
            stack.callback(lambda: server.stop(None).wait())
            return f"127.0.0.1:{port}"

        yield start


@dataclass
class Reflects:
    """Reflection that sends each proto by itself, when it is asked for, under either name."""

    files: dict[str, FileDescriptorProto]
    services: tuple[str, ...] = (BOOKS,)
    lost: tuple[str, ...] = ()

    def handler(self, name: str = V1) -> grpc.GenericRpcHandler:
        """For a server."""
        method = grpc.stream_stream_rpc_method_handler(
            self._answer,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
        return grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method})

    def _answer(self, requests: Iterator[Any], _: grpc.ServicerContext) -> Iterator[Any]:
        for request in requests:
            response = reflection_pb2.ServerReflectionResponse()
            if request.HasField("list_services"):
                for name in self.services:
                    response.list_services_response.service.add(name=name)
            elif found := self._found(request):
                response.file_descriptor_response.file_descriptor_proto.append(found)
            else:
                response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            yield response

    def _found(self, request: Any) -> bytes | None:
        name = request.file_by_filename
        if request.file_containing_symbol:
            name = f"{request.file_containing_symbol.rpartition('.')[0]}.proto"
        kept = name in self.files and name not in self.lost
        return self.files[name].SerializeToString() if kept else None


def imported() -> Reflects:
    """A service whose proto imports another one."""
    files = (proto("test.books", FAULTY, imports=("a.proto",)), proto("a", FAULTY))
    return Reflects({file.name: file for file in files})


def standard() -> grpc.GenericRpcHandler:
    """The reflection of grpcio itself, which knows the older name only."""
    pool = DescriptorPool()
    pool.Add(proto("test.books", FAULTY))
    servicer = reflection.ReflectionServicer([BOOKS], pool=pool)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(ALPHA, {"ServerReflectionInfo": method})


def ends(server: Server) -> CliError:
    """How asking it fails."""
    with pytest.raises(CliError) as caught:
        served(server)
    return caught.value


def test_the_reflection_of_grpcio_is_read(serve: Serve) -> None:
    """With the methods and options of the proto."""
    (service,) = served(Server(serve(standard()), plaintext=True))
    assert service.full_name == BOOKS
    assert [method.name for method in service.methods] == list(FAULTY)


@pytest.mark.parametrize("name", [V1, ALPHA])
def test_protos_that_come_one_by_one_are_gathered(name: str, serve: Serve) -> None:
    """Under the newer and the older name; what is only imported is no service of the server."""
    found = served(Server(serve(imported().handler(name)), plaintext=True))
    assert [each.full_name for each in found] == [BOOKS]


def test_an_import_that_the_server_lacks_is_named(serve: Serve) -> None:
    """Asked for once, then refused."""
    reflects = imported()
    reflects.lost = ("a.proto",)
    with pytest.raises(CaracalError, match=r"lacks a\.proto"):
        served(Server(serve(reflects.handler()), plaintext=True))


@pytest.mark.parametrize("name", ["test.books.Shelves", "other.Service", ""])
def test_a_listed_service_without_a_proto_is_no_pass(name: str, serve: Serve) -> None:
    """What cannot be looked at is not in order."""
    reflects = imported()
    reflects.services = (BOOKS, name)
    with pytest.raises(CaracalError, match=f"lists {name} and has no proto of it"):
        served(Server(serve(reflects.handler()), plaintext=True))


def test_a_server_that_lists_nothing_is_no_pass(serve: Serve) -> None:
    """Nothing would be checked."""
    with pytest.raises(CaracalError, match="must list between one and"):
        served(Server(serve(Reflects({}, ()).handler()), plaintext=True))


def test_no_more_than_the_bound_is_taken(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of protos and of bytes: nothing is known of the other side."""
    server = Server(serve(imported().handler()), plaintext=True)
    for bound in ("_MAX_FILES", "MAX_SET_BYTES"):
        with monkeypatch.context() as patch:
            patch.setattr(asking, bound, 0)
            with pytest.raises(CaracalError, match="has more than"):
                served(server)


def test_a_server_without_reflection_is_wrong_usage(serve: Serve) -> None:
    """It says what else to give."""
    error = ends(Server(serve(), plaintext=True))
    assert error.code is ExitCode.USAGE
    assert "serves no reflection" in error.lines[0]


def test_reflection_that_ends_early_is_refused(serve: Serve) -> None:
    """With OK and no answer."""
    method = grpc.stream_stream_rpc_method_handler(lambda _requests, _context: iter(()))
    handler = grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": method})
    with pytest.raises(CaracalError, match="ended reflection before"):
        served(Server(serve(handler), plaintext=True))


def test_reflection_that_asks_for_a_credential_says_so(serve: Serve) -> None:
    """With the code that it answered, made an exit code."""

    def refuse(_: Any, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNAUTHENTICATED, "who are you")

    method = grpc.stream_stream_rpc_method_handler(refuse)
    handler = grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": method})
    error = ends(Server(serve(handler), plaintext=True))
    assert error.code is ExitCode.CREDENTIAL
    assert error.lines[0].endswith("answered UNAUTHENTICATED: who are you")


def test_a_server_that_never_answers_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole conversation has one deadline."""
    monkeypatch.setattr(asking, "TIMEOUT", 0.5)
    ended = threading.Event()

    def wait(_: Any, context: grpc.ServicerContext) -> Iterator[Any]:
        context.add_callback(ended.set)
        ended.wait(60)
        return iter(())

    method = grpc.stream_stream_rpc_method_handler(wait)
    handler = grpc.method_handlers_generic_handler(V1, {"ServerReflectionInfo": method})
    assert ends(Server(serve(handler), plaintext=True)).code is ExitCode.UNAVAILABLE


def test_no_server_is_unavailable() -> None:
    """And says what to look at."""
    error = ends(Server("127.0.0.1:1", plaintext=True))
    assert error.code is ExitCode.UNAVAILABLE
    assert "speaks plaintext" in error.lines[0]


@dataclass(frozen=True)
class Pems:
    """A certificate with its key, and the authority that signed it, in files."""

    ca: Path
    certificate: Path
    key: Path
    serving: grpc.ServerCredentials


@pytest.fixture
def pems(tmp_path: Path) -> Pems:
    """For a server that wants a certificate of its callers; its name is `books.example`."""
    authority = CertificateAuthority()
    certificate, key = authority.issue("books", ("books.example",))
    found = [tmp_path / name for name in ("ca.pem", "certificate.pem", "key.pem")]
    for path, content in zip(found, (authority.pem, certificate, key), strict=True):
        path.write_bytes(content)
    tls = grpc.ssl_server_credentials([(key, certificate)], authority.pem, True)
    return Pems(*found, tls)


def test_mutual_tls_is_spoken(pems: Pems, serve: Serve) -> None:
    """With roots, an own certificate, and the name that the server's certificate has."""
    address = serve(standard(), tls=pems.serving)
    files = (pems.ca, pems.certificate, pems.key)
    (service,) = served(Server(address, False, *files, "books.example"))
    assert service.full_name == BOOKS


def test_a_certificate_of_others_is_not_taken(pems: Pems, serve: Serve, tmp_path: Path) -> None:
    """TLS that does not verify is no answer."""
    other = tmp_path / "other.pem"
    other.write_bytes(CertificateAuthority("another").pem)
    address = serve(standard(), tls=pems.serving)
    error = ends(Server(address, False, other, pems.certificate, pems.key, "books.example"))
    assert error.code is ExitCode.UNAVAILABLE
    assert "--ca-file" in error.lines[0]


def test_plaintext_is_for_loopback_only() -> None:
    """Protos would be whatever somebody on the way writes."""
    with pytest.raises(CliError, match="loopback only"):
        Server("books.example:443", plaintext=True)


def test_options_that_contradict_each_other_are_refused(pems: Pems) -> None:
    """Plaintext with TLS, half a certificate, a file that is no PEM."""
    with pytest.raises(CliError, match="no option of TLS"):
        Server("127.0.0.1:1", plaintext=True, ca_file=pems.ca)
    with pytest.raises(CliError, match="go together"):
        Server("127.0.0.1:1", cert_file=pems.certificate)
    for path in (Path(__file__), pems.ca.with_name("none.pem")):
        with pytest.raises(CliError, match=path.name):
            served(Server("127.0.0.1:1", ca_file=path))
