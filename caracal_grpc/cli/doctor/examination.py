"""All checks in their order; what a failure leaves no way to look at is said to be skipped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from caracal_grpc.cli.context import load
from caracal_grpc.cli.doctor import reach, talk
from caracal_grpc.cli.doctor.found import CLIENT, Found, Status, failed, fine, skipped
from caracal_grpc.cli.doctor.patient import Patient
from caracal_grpc.cli.errors import CliError
from caracal_grpc.core.errors import CaracalError

_PATIENCE: Final = 30.0
"""Seconds for one check."""


@dataclass(frozen=True, slots=True)
class Step:
    """One check; what follows needs it to hold, unless it is `optional`."""

    name: str
    look: Callable[[Patient], Awaitable[Found]]
    optional: bool = False


async def profile(patient: Patient) -> Found:
    """Whether the profile can be read, and by its owner alone."""
    try:
        patient.loaded = load(patient.chosen)
        patient.loaded.root_certificates()
        patient.loaded.client_certificate()
    except CliError as error:
        return failed("profile", str(error), "correct it, or log in anew: caracal-grpc login")
    except CaracalError as error:
        return failed("profile", error.message, "correct the file that it names")
    return fine("profile", f"{patient.chosen.path} ({patient.chosen.by}), yours alone")


STEPS: Final = (
    Step("profile", profile),
    Step("address", reach.address),
    Step("connection", reach.connection),
    Step("tls", reach.tls),
    Step("health", talk.health),
    Step("credential", talk.credential),
    Step("diagnosis", talk.diagnosis, optional=True),
    Step("clock", talk.clock, optional=True),
)


async def examine(patient: Patient) -> list[Found]:
    """Every check of the client's side, then what the authority told of itself."""
    found: list[Found] = []
    blocked = ""
    for step in STEPS:
        if blocked:
            found.append(skipped(CLIENT, step.name, f"not looked at, since {blocked} failed"))
            continue
        found.append(await _looked(step, patient))
        if found[-1].status is Status.FAILED and not step.optional:
            blocked = step.name
    return [*found, *patient.told]


async def _looked(step: Step, patient: Patient) -> Found:
    import grpc

    from caracal_grpc.cli.connection import failure

    try:
        async with asyncio.timeout(_PATIENCE):
            return await step.look(patient)
    except TimeoutError:
        advice = "see the log of the authority, and the network to it"
        return failed(step.name, f"no answer within {_PATIENCE:g} s", advice, reached=False)
    except grpc.RpcError as error:
        return talk.of_error(step.name, failure(patient.target, error))
    except CliError as error:
        return talk.of_error(step.name, error)
    except Exception as error:  # noqa: BLE001 - whatever is odd here, the rest is told all the same
        advice = "see that the profile holds what it should; caracal-grpc login makes a new one"
        return failed(step.name, f"cannot be looked at: {type(error).__name__}", advice)
