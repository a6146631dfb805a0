"""An authority in a process of its own: `python -m tests.stories.child <settings as JSON>`."""

from __future__ import annotations

import asyncio
import json
import sys

from caracal_grpc.core.errors import CaracalError
from caracal_grpc.server import serve
from caracal_grpc.settings.serve import ServeSettings


def main() -> int:
    """Serves until SIGTERM; prints the address when it is ready, and why it cannot start."""
    try:
        settings = ServeSettings.load(json.loads(sys.argv[1]))
        asyncio.run(serve(settings, lambda address, _: print(address, flush=True)))
    except CaracalError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
