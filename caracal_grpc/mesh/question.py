"""What a proxy asks: one request of a caller, in a form that can be judged."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

from caracal_grpc.core.errors import CaracalError, field_invalid
from caracal_grpc.core.limits import MAX_REQUEST_ID
from caracal_grpc.core.reason import Reason
from caracal_grpc.crypto.thumbprint import x5t_s256
from caracal_grpc.mesh.headers import Headers, split_headers
from caracal_grpc.mesh.paths import require_path
from caracal_grpc.mesh.patience import UNSAID, Patience

Kind = Literal["grpc", "grpc_web", "http"]

DIRECTION: Final = "caracal"
"""The context extension by which the proxy's configuration says the way that a request goes."""

INBOUND: Final = "inbound"
MAX_QUERY: Final = 16_384
MAX_CERTIFICATE: Final = 32_768
"""Characters of a certificate as a proxy passes it on."""

_WORD: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_WORDS: Final = frozenset({"inbound", "outbound", "gateway"})
_VERB: Final = re.compile(r"[A-Z][A-Z-]{0,31}")
_COMMON: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HOST: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]{2,45}\]")
_PORT: Final = re.compile(r":[0-9]{0,5}\Z")
_QUERY: Final = re.compile(r"[\x21\x22\x24-\x7e]*")
_GRPC: Final = re.compile(r"application/grpc(?:[+;].*)?")
_REQUEST_ID: Final = re.compile(rf"[\x21-\x7e]{{1,{MAX_REQUEST_ID}}}")
_SECOND: Final = re.compile(r"\A\s*bearer\b.*,|,\s*bearer\b", re.IGNORECASE)


class Question(NamedTuple):
    """One request. `verb` is its method in HTTP; `path` has no query.

    `host` is in lower case, without port and last dot; empty when the proxy does not say it, as is
    `port` when it does not say one.
    `direction` is what the proxy's configuration calls the way that the request goes; `inbound`
    when it says nothing. `request_id` is how the caller knows the request, if it is a word.
    `exchange` is how the proxy does, the same each time that it asks again about one request, which
    no caller can choose; empty when the proxy does not say. `thumbprint` is of the certificate that
    the caller showed to the proxy, `None` unless the proxy passes it on (Envoy's
    `include_peer_certificate`). `proxyless` is a question of gRPC itself (gRFC A92). `patience` is
    how long the proxy waits for the answer.
    """

    kind: Kind
    verb: str
    path: str
    host: str
    headers: Headers
    direction: str
    request_id: str
    exchange: str = ""
    thumbprint: str | None = None
    proxyless: bool = False
    port: str = ""
    patience: Patience = UNSAID


def read(request: Any, patience: Patience = UNSAID) -> Question:
    """The question that a `CheckRequest` is; raises the refusal of what nobody may send.

    That is `FIELD_INVALID` for what can be read in two ways, `MANDATE_MALFORMED` for two mandates,
    and `METADATA_TOO_LARGE`.
    """
    attributes = request.attributes
    http = attributes.request.http
    pseudo, headers = split_headers(http)
    authority = http.host or pseudo.get(":authority", "")
    path, query = _target(_agreed("path", http.path, pseudo.get(":path", "")), http.query)
    if query or http.fragment:
        _require_query(query, http.fragment)
    proxyless = _is_proxyless(http, attributes)
    require_one_authorization(headers)
    return Question(
        kind="grpc" if proxyless else _kind(headers),
        verb=_verb(_agreed("method", http.method, pseudo.get(":method", ""))),
        path=_path(path),
        host=_host(authority, (pseudo.get(":authority", authority), *headers.all("host"))),
        headers=headers,
        direction=_direction(attributes.context_extensions),
        request_id=_request_id(headers),
        exchange=http.id if len(http.id) <= MAX_REQUEST_ID else "",
        thumbprint=_thumbprint(attributes.source.certificate),
        proxyless=proxyless,
        port=_port(authority),
        patience=patience,
    )


def unread(request: Any) -> Question | None:
    """What is known of a request that `read` refuses: what its caller speaks, and nothing else.

    It is for the words of the refusal. `None` for a caller that does not clearly speak gRPC.
    """
    http = request.attributes.request.http
    said = [("content-type", value) for value in _said(http, "content-type")]
    web = [("x-grpc-web", value) for value in _said(http, "x-grpc-web")]
    headers = Headers([*said, *web[:1]] if len(said) == 1 else [])
    proxyless = _is_proxyless(http, request.attributes)
    kind: Kind = "grpc" if proxyless else _kind(headers)
    if kind == "http":
        return None
    return Question(kind, "", "", "", headers, "", "", proxyless=proxyless)


def _said(http: Any, name: str) -> list[str]:
    """Every value of a header, unread."""
    raw = [each for each in http.header_map.headers if each.key.lower() == name]
    values = [each.raw_value.decode("latin-1") or each.value for each in raw]
    return values or [http.headers[key] for key in http.headers if key.lower() == name]


def require_one_authorization(headers: Headers) -> None:
    """Raises `MANDATE_MALFORMED` for two mandates, which Envoy joins with a comma."""
    values = headers.all("authorization")
    if len(values) > 1 or (values and "," in values[0] and _SECOND.search(values[0])):
        raise CaracalError(
            Reason.MANDATE_MALFORMED,
            "the call carries more than one authorization; attach exactly one mandate",
        )


def _agreed(what: str, one: str, other: str) -> str:
    if one and other and one != other:
        raise field_invalid(what, "is said twice, and not the same")
    return one or other


def _target(target: str, said: str) -> tuple[str, str]:
    """The path and the query of a target, whose query may be `said` beside it."""
    path, mark, query = target.partition("?")
    if mark and said and query != said:
        raise field_invalid("query", "is said twice, and not the same")
    return path, query or said


def _require_query(query: str, fragment: str) -> None:
    """No rule is about queries, so that they are looked at and left out."""
    if fragment or len(query) > MAX_QUERY or not _QUERY.fullmatch(query):
        text = f"must be at most {MAX_QUERY} visible ASCII characters, with no fragment behind"
        raise field_invalid("query", text)


@lru_cache(maxsize=1024)
def _path(path: str) -> str:
    """`path`, which can be read in one way only; the same ones come again and again."""
    return require_path(path)


def _verb(verb: str) -> str:
    if verb not in _COMMON and not _VERB.fullmatch(verb):
        raise field_invalid("method", "must be a method of HTTP, in upper case")
    return verb


def _host(host: str, others: tuple[str, ...]) -> str:
    found = bare_host(host)
    for each in others:
        if each != host and bare_host(each) != found:
            raise field_invalid("host", "is said twice, and not the same")
    return found


@lru_cache(maxsize=256)
def _port(host: str) -> str:
    found = _PORT.search(host)
    return "" if found is None else found[0].removeprefix(":")


@lru_cache(maxsize=256)
def bare_host(host: str) -> str:
    """A host in lower case, without port and last dot; a port is not what a name is about."""
    found = _PORT.sub("", host).removesuffix(".").lower()
    if host and not _HOST.fullmatch(found):
        raise field_invalid("host", "must be one name or address of a host")
    return found


def _kind(headers: Headers) -> Kind:
    content_type = headers.one("content-type")
    if content_type == "application/grpc" and "x-grpc-web" not in headers:
        return "grpc"
    content_type = content_type.strip().lower()
    if content_type.startswith("application/grpc-web"):
        return "grpc_web"
    if not _GRPC.fullmatch(content_type):
        return "http"
    return "grpc_web" if "x-grpc-web" in headers else "grpc"


def _is_proxyless(http: Any, attributes: Any) -> bool:
    """Whether gRPC itself asks, which says neither an id, nor a host, nor a context (gRFC A92)."""
    said = http.id or http.host or http.scheme or attributes.context_extensions
    return not said and http.size == -1 and http.protocol == "HTTP/2"


def _direction(extensions: Any) -> str:
    word = extensions.get(DIRECTION, INBOUND) if extensions else INBOUND
    if word not in _WORDS and not _WORD.fullmatch(word):
        raise field_invalid(DIRECTION, "must be inbound, outbound or gateway")
    return str(word)


@lru_cache(maxsize=256)
def _thumbprint(certificate: str) -> str | None:
    """Of a certificate in PEM, percent-encoded as Envoy does; `None` for what is none."""
    if not 0 < len(certificate) <= MAX_CERTIFICATE:
        return None
    try:
        return x5t_s256(unquote_to_bytes(certificate))
    except CaracalError:
        return None


def _request_id(headers: Headers) -> str:
    values = headers.all("x-request-id")
    return values[0] if len(values) == 1 and _REQUEST_ID.fullmatch(values[0]) else ""
