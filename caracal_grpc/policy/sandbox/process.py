"""The parent's side of one child."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any, Final, cast

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.core.reason import Reason
from caracal_grpc.policy.sandbox import frames
from caracal_grpc.policy.sandbox.ending import Ending
from caracal_grpc.policy.sandbox.limits import Limits
from caracal_grpc.policy.sandbox.pipes import Pipes, end_process
from caracal_grpc.policy.sandbox.watch import Watch

_KEPT: Final = ("LD_LIBRARY_PATH", "SYSTEMROOT")
"""What an interpreter may need to start; no setting of ours is among the environment of a child."""


class Child:
    """A process that runs one policy; it is asked one thing after the other. Kill it in the end."""

    def __init__(self, transport: asyncio.SubprocessTransport, pipes: Pipes) -> None:
        self._transport = transport
        self._pipes = pipes
        self._input = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))

    @classmethod
    async def start(cls, engine: str, limits: Limits) -> Child:
        """A child that has compiled nothing yet; raises `POLICY_FAILED` when it cannot be had."""
        command = (sys.executable, "-B", "-P", "-m", "caracal_grpc.policy.sandbox.worker")
        try:
            transport, pipes = await asyncio.get_running_loop().subprocess_exec(
                Pipes,
                *command,
                engine,
                str(limits.memory),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=_environment(),
                cwd="/",
                start_new_session=True,  # no Ctrl-C of the terminal reaches it before us
            )
        except OSError as exc:
            text = "no process can be started for the policy; try again soon"
            raise CaracalError(Reason.POLICY_FAILED, text, retry_after=1.0) from exc
        return cls(transport, pipes)

    @property
    def pid(self) -> int:
        """The process."""
        return self._transport.get_pid()

    async def ask(self, kind: bytes, body: bytes, seconds: float) -> Any:
        """The answer, JSON, within `seconds` of the child's own time.

        Raises what the child refuses with, `FIELD_INVALID` or `POLICY_FAILED`, and `Lost`, after
        which only `kill` is of use.
        """
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.begin(kind, body, seconds, lambda end: end.settle(answer))
        return await answer

    def begin(
        self, kind: bytes, body: bytes, seconds: float, ended: Callable[[Ending], None]
    ) -> None:
        """Asks, without waiting; `ended` gets what comes of it, in any case and once."""
        watch = Watch(self.pid, self.end, seconds)

        def end(mark: bytes, answer: bytes) -> None:
            watch.end()
            ended(Ending(mark, answer, watch.overran))

        self._pipes.expect(end)
        self._input.write(frames.request(kind, body, seconds))

    async def kill(self) -> None:
        """Ends the process, whatever it does, and returns when it is gone; again is no error."""
        self.end()
        await self._pipes.gone.wait()

    def end(self) -> None:
        """Ends the process; `kill` awaits that."""
        end_process(self._transport)


def _environment() -> dict[str, str]:
    """What the child needs to find our modules, and nothing that anybody confided to us."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return {**kept, "PYTHONPATH": path, "PYTHONUTF8": "1", "LC_ALL": "C"}
