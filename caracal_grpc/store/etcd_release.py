"""Which releases of etcd are known to forget what they acknowledged, or to leave it unsaid."""

from __future__ import annotations

import re
from typing import Final

ADVICE: Final = "run 3.4.36, 3.5.18, or any 3.6"

_WHOLE_FROM: Final = {(3, 4): 36, (3, 5): 18}
"""The first patch of each line with all of these mended, by etcd's own changelogs:

a cluster of one member acknowledges a write before it is in the log (etcd-io/etcd#14370); a member
that was killed skips a write when it starts again (etcd-io/etcd#13766); a watch misses events
around a compaction (etcd-io/etcd#17612, etcd-io/etcd#19179). Lines before 3.4 have no mends.
"""

_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")


def is_leaky(version: str) -> bool:
    """Whether this release is among them; of a version that is not `x.y.z` we know nothing."""
    found = _VERSION.match(version)
    if found is None:
        return False
    major, minor, patch = map(int, found.groups())
    line = (major, minor)
    return line < min(_WHOLE_FROM) or patch < _WHOLE_FROM.get(line, 0)
