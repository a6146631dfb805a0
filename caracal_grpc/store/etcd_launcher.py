"""Turns into etcd, after asking the kernel to kill that etcd when whoever started us dies.

Run as a script, `etcd_launcher.py <pid of the parent> <binary> <arguments>...`, with the standard
library alone. A `preexec_fn` would do the same between fork and exec, where threads of gRPC and
locks of the allocator make Python code unsafe; a process of its own is safe.

On Linux the request is `PR_SET_PDEATHSIG` of prctl(2), which survives execve(2). It is bound to the
thread that started us. Other systems have no such request: there etcd can outlive a parent that was
killed, and only a regular stop ends it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, binary: str, arguments: list[str]) -> None:
    """Binds our life to `parent` and becomes `binary`."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew of our wish
            sys.exit(1)
    os.execv(binary, [binary, *arguments])  # noqa: S606 - no shell, and the path is our caller's


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
