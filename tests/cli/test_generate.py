"""`python -m caracal_grpc.proto.generate`, for protos of one's own."""

from __future__ import annotations

import subprocess
import sys

_WITHOUT = (
    "import runpy, sys; sys.modules['grpc_tools'] = None;"
    "runpy.run_module('caracal_grpc.proto.generate', run_name='__main__')"
)


def test_without_the_generator_it_says_what_to_install() -> None:
    """One line instead of a traceback."""
    done = subprocess.run(
        [sys.executable, "-c", _WITHOUT, "-I", "protos", "-o", "src", "shop/v1/orders.proto"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == ("this needs grpcio-tools; run: pip install 'caracal-grpc[generate]'\n")
