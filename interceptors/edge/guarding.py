"""Which applications this process serves guarded calls for, hence whose calls have a caller."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

from caracal_grpc.interceptors.client.attachment import OnBehalf
from caracal_grpc.interceptors.profile import Profile

_lock: Final = threading.Lock()
_guarding: Final[Counter[tuple[str, str]]] = Counter()


def begin(profile: Profile) -> None:
    """An edge of this application has a guard now."""
    with _lock:
        _guarding[_application(profile)] += 1


def end(profile: Profile) -> None:
    """That edge is closed."""
    with _lock:
        _guarding[_application(profile)] -= 1


def default_of(profile: Profile) -> Callable[[], OnBehalf]:
    """On whose behalf the calls of this application act when its channel does not say.

    The loss of a context cannot be told from a background job. Where the application guards, be it
    by another edge of this process, a call without a caller is taken for a loss and refused; where
    it does not, there is no caller to be lost. Looked at on each call: a channel may be made before
    the guard.
    """
    application = _application(profile)
    return lambda: "exchange" if _guarding[application] > 0 else "either"


def _application(profile: Profile) -> tuple[str, str]:
    return profile.issuer, profile.application_id
