"""The way to the authority: its name, its address, its certificate."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from typing import TYPE_CHECKING, Final

from caracal_grpc.cli.doctor.found import Found, Status, failed, fine, warning
from caracal_grpc.cli.doctor.patient import Patient
from caracal_grpc.crypto.certificate import CertificateFacts, Renewal, certificate_facts

if TYPE_CHECKING:
    from caracal_grpc.interceptors.profile import Profile

_TIMEOUT: Final = 5.0
_HTTP2: Final = "h2"
_MISMATCH: Final = frozenset({62, 64})
_EXPIRED: Final = 10
_NOT_YET: Final = 9
"""X509_V_ERR_ codes of OpenSSL: host and address mismatch, expired, not yet valid."""


async def address(patient: Patient) -> Found:
    """Whether every host in the profile has an address."""
    loop = asyncio.get_running_loop()
    resolved = set()
    for host, port in patient.endpoints():
        try:
            async with asyncio.timeout(_TIMEOUT):
                found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, TimeoutError):
            advice = "correct the authority in the profile, or the DNS of this machine"
            return failed("address", f"{host} has no address", advice, reached=False)
        resolved |= {str(each[4][0]) for each in found}
    return fine("address", f"{patient.profile.authority} is {', '.join(sorted(resolved))}")


async def connection(patient: Patient) -> Found:
    """Whether somebody listens at each address."""
    silent, answering = [], []
    for host, port in patient.endpoints():
        try:
            async with asyncio.timeout(_TIMEOUT):
                _, writer = await asyncio.open_connection(host, port)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            answering.append(f"{host}:{port}")
        except (OSError, TimeoutError) as error:
            silent.append(f"{host}:{port} ({_why(error)})")
    detail = f"{', '.join(answering)} takes connections"
    if not silent:
        return fine("connection", detail)
    advice = "start the authority (on this machine: caracal-grpc dev), correct the profile, or see "
    advice += "which firewall is between"
    if answering:
        return warning("connection", f"{detail}, not {', '.join(silent)}", advice)
    return failed("connection", f"nobody at {', '.join(silent)}", advice, reached=False)


async def tls(patient: Patient) -> Found:
    """Whether the certificate of each address is good, for how long, and for its name."""
    profile = patient.profile
    if profile.plaintext:
        return fine("tls", "plaintext, on this machine alone")
    ending: list[Found] = []
    for host, port in patient.endpoints():
        name = profile.server_name or host
        try:
            facts = await _shaken(_context(profile), host, port, name)
        except ssl.SSLCertVerificationError as error:
            return await _distrusted(error, patient, host, port)
        except ssl.SSLError as error:
            return _broken(error)
        except (OSError, TimeoutError) as error:
            advice = "look whether something between ends the connection"
            return failed("tls", f"the handshake with {host} ends: {_why(error)}", advice)
        except _PlainHttpError:
            advice = "name the authority itself, or a proxy that passes HTTP/2 on"
            return failed("tls", f"{host} does not speak HTTP/2", advice)
        ending += _of_life(facts, f"{host}:{port}", patient.clock.now())
    if ending:  # a replica whose certificate ends tomorrow hides behind none that has a month
        return min(ending, key=lambda each: each.status is not Status.FAILED)
    return fine("tls", "the certificate is good, for its name, from a CA of the profile")


def _of_life(facts: CertificateFacts, shown_by: str, now: float) -> list[Found]:
    """What is to be said of a certificate that is good, but not for long."""
    left = f"{(facts.ends - now) / 86_400:.1f} days"
    days = f"the certificate of {shown_by} is good for {left} more"
    advice = "renew the certificate of the authority, and restart it"
    renewal = facts.renewal(now)
    if renewal is Renewal.NOW:
        return [failed("tls", days, advice)]
    return [warning("tls", days, advice)] if renewal is Renewal.SOON else []


class _PlainHttpError(Exception):
    """TLS works, and HTTP/2 is not spoken in it."""


def _context(profile: Profile) -> ssl.SSLContext:
    """What the profile trusts and shows; raises `ssl.SSLError`."""
    roots = profile.root_certificates()
    context = ssl.create_default_context(cadata=roots.decode() if roots else None)
    context.set_alpn_protocols([_HTTP2])
    if profile.cert_file and profile.key_file:
        context.load_cert_chain(profile.cert_file, profile.key_file, password=lambda: "")
    return context


async def _shaken(context: ssl.SSLContext, host: str, port: int, name: str) -> CertificateFacts:
    """The facts of the certificate that is shown, once the handshake is done."""
    async with asyncio.timeout(_TIMEOUT):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=name)
    try:
        shown = writer.get_extra_info("ssl_object")
        if shown.selected_alpn_protocol() != _HTTP2:
            raise _PlainHttpError
        return certificate_facts(shown.getpeercert(binary_form=True))
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _distrusted(
    error: ssl.SSLCertVerificationError, patient: Patient, host: str, port: int
) -> Found:
    """What is wrong with a certificate, told from what it says when it is not verified."""
    name = patient.profile.server_name or host
    blind = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    blind.set_alpn_protocols([_HTTP2])
    try:
        facts = await _shaken(blind, host, port, name)
    except (OSError, TimeoutError, _PlainHttpError):
        facts = CertificateFacts(0, 0, (), "an unknown CA")
    now = patient.clock.now()
    if error.verify_code == _EXPIRED:
        ago = f"it expired {(now - facts.ends) / 86_400:.1f} days ago"
        return failed("tls", ago, "renew the certificate of the authority, and restart it")
    if error.verify_code == _NOT_YET:
        return failed("tls", "it is not valid yet", "correct the clock of this machine")
    if error.verify_code in _MISMATCH:
        names = ", ".join(facts.names) or "no name"
        advice = "call it by a name that it holds, or set server_name in the profile"
        return failed("tls", f"the certificate is for {names}, not for {name}", advice)
    advice = "set ca_file in the profile to the CA that signed it"
    return failed("tls", f"it is of {facts.issuer}, whom the profile does not trust", advice)


def _broken(error: ssl.SSLError) -> Found:
    if error.reason == "WRONG_VERSION_NUMBER":
        advice = "on loopback set plaintext in the profile; elsewhere serve with tls_cert_file"
        return failed("tls", "the other side does not speak TLS", advice)
    advice = "see the log of the authority; with tls_client_ca_file it wants a client certificate"
    return failed("tls", f"the handshake fails: {error.reason or 'no more is known'}", advice)


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer"
    return str(getattr(error, "strerror", "") or type(error).__name__)
