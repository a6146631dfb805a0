"""The HTTP port of a served authority, and the short words of tests for it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from caracal_grpc.v1 import application_service_pb2
from tests.support.authority import Client, Running
from tests.support.raw_http import Answered, exchange

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
JWT = "urn:ietf:params:oauth:token-type:jwt"
FORM = ("content-type", "application/x-www-form-urlencoded")

Form = dict[str, Any]


def port_of(running: Running) -> Port:
    """The port of a served authority."""

    def credentials(zone: str, name: str) -> tuple[str, str]:
        known = running.credentials[zone, name]
        return known.application_id, known.client_secret

    return Port(running.server.http_address, credentials)


async def ids_of(operator: Client) -> dict[str, str]:
    """The id of each application of the shop by its name."""
    listed = await operator.stubs.applications.List(
        application_service_pb2.ApplicationServiceListRequest(zone="shop"),
        metadata=await operator.operator(),
    )
    return {each.name: each.id for each in listed.applications}


@dataclass
class Port:
    """Asks the port at `address` as an application of the shop, with its secret."""

    address: str
    credentials: Callable[[str, str], tuple[str, str]]
    """The id and the secret of an application by its zone and name."""

    def url(self, path: str, zone: str = "shop") -> str:
        """The URL of a path of a zone."""
        return f"http://{self.address}/zones/{zone}{path}"

    def client(self, name: str, zone: str = "shop") -> Form:
        """The parameters by which an application authenticates."""
        application, secret = self.credentials(zone, name)
        return {"client_id": application, "client_secret": secret}

    def basic(self, name: str, zone: str = "shop") -> tuple[str, str]:
        """The header by which it does."""
        text = ":".join(self.credentials(zone, name))
        return "authorization", "Basic " + base64.b64encode(text.encode()).decode()

    async def get(self, path: str, *headers: tuple[str, str]) -> Answered:
        """What is answered to a GET of a path."""
        return await exchange(self.address, "GET", path, headers)

    async def post(
        self, path: str, form: Form | bytes, *headers: tuple[str, str], zone: str = "shop"
    ) -> Answered:
        """What is answered to a form."""
        body = form if isinstance(form, bytes) else urlencode(form, doseq=True).encode()
        sent = headers if any(name == FORM[0] for name, _ in headers) else (FORM, *headers)
        return await exchange(self.address, "POST", f"/zones/{zone}{path}", sent, body)

    async def token(self, name: str, resource: str, *, zone: str = "shop", **more: Any) -> Answered:
        """What the token endpoint answers to an application that acts for itself."""
        form = {"grant_type": "client_credentials", "resource": resource}
        return await self.post("/token", form | self.client(name, zone) | more, zone=zone)

    async def mandate(self, name: str, resource: str, **more: Any) -> str:
        """The mandate that it is granted."""
        answered = await self.token(name, resource, **more)
        assert answered.status == 200, answered
        return str(told(answered)["access_token"])

    async def exchanged(self, name: str, resource: str, subject: str, **more: Any) -> Answered:
        """What the token endpoint answers to an application that acts on behalf of `subject`."""
        form = {
            "grant_type": EXCHANGE,
            "resource": resource,
            "subject_token": subject,
            "subject_token_type": ACCESS_TOKEN,
            **self.client(name),
        }
        return await self.post("/token", form | more)

    async def active(self, name: str, token: str, zone: str = "shop") -> dict[str, Any]:
        """What introspection answers."""
        form = {"token": token, **self.client(name, zone)}
        answered = await self.post("/introspect", form, zone=zone)
        assert answered.status == 200, answered
        return told(answered)


def told(answered: Answered) -> dict[str, Any]:
    """The JSON that was answered."""
    found: dict[str, Any] = json.loads(answered.body)
    return found
