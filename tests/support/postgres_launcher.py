"""Turns into postgres, as another user if it must, and ends with whoever started us.

Run as a script, `postgres_launcher.py <pid of the parent> <uid> <gid> <binary> <argument>...`, with
the standard library alone. PostgreSQL refuses to run as root, and a change of user clears the wish
of prctl(2), so both are done here, in this order. `LARGEST_FILE` is for setrlimit(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(parent: int, uid: int, gid: int, command: list[str]) -> None:
    """Becomes `command`."""
    largest = int(os.environ.pop("LARGEST_FILE", "-1"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, resource.RLIM_INFINITY))
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)
        if os.getppid() != parent:
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell, and the path is our caller's


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
