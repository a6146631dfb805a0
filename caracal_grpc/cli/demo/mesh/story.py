"""What people read while the demo of the mesh runs."""

from __future__ import annotations

from typing import Final

from caracal_grpc.cli.demo.story import CHAPTERS, Chapter, Told

_OWN: Final = {
    "success": Chapter(
        "A call over two hops, by way of a service without any code of ours",
        "An agent orders tea. The Envoy before Orders judges the call; Orders calls Payments "
        "through the same Envoy, which gives that call a mandate on the agent's behalf.",
        "Orders could be written in any language. It hands on a header, and Payments still sees "
        "who began the call and who acts.",
    ),
    "denied": Chapter(
        "Two refusals",
        "The agent asks for a refund, then tries to order with a mandate for something else.",
        "Policy refuses before a call is ever made. What comes from the Envoy is the status that "
        "a guard would have answered, with its reason and its metadata.",
    ),
    "gateway": Chapter(
        "A CRM that knows one key",
        "The agent reads a contact through the gateway, then tries to do more.",
        "The mandate ends at the gateway, and the key is put in its place. Nobody who calls has "
        "ever held it.",
    ),
    "step_up": Chapter(
        "A request that a person must release",
        "The clerk asks to delete a contact. Policy holds it until the manager has approved it.",
        "The CRM knows nothing of approvals, and the gateway needs to know nothing of them.",
    ),
    "revoked": Chapter(
        "A session is revoked",
        "The agent uses two mandates of one session. The operator revokes that session.",
        "Each proxy refuses the next request. It asks once a request, as that begins: a stream "
        "that is open already ends with its mandate. Where that is too late, use a guard.",
    ),
}

MESH: Final = Told(
    "A real etcd, authority and ledger; Payments with its guard, Orders with an Envoy instead, "
    "a CRM behind another one, and an agent, on this machine.",
    {**CHAPTERS, **_OWN},
)
