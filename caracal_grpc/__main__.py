"""`python -m caracal_grpc` is the command line."""

from __future__ import annotations

from caracal_grpc.cli.main import main

if __name__ == "__main__":
    main()
