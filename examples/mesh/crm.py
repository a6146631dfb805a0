"""A CRM that somebody else runs: it knows one API key, and nothing of mandates.

    CRM_KEY_FILE=.shop/crm.key python examples/mesh/crm.py

The key is its owner's; whoever has it may do everything. That is why callers do not get it.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

LISTEN = os.environ.get("SHOP_CRM", "127.0.0.1:7434")
KEY = Path(os.environ.get("CRM_KEY_FILE", ".shop/crm.key")).read_text().strip()


class Crm(BaseHTTPRequestHandler):
    """`/contacts/<id>`, to be read and deleted."""

    def do_GET(self) -> None:
        """Shows a contact."""
        self._answer({"contact": self.path.rpartition("/")[2], "likes": "tea"})

    def do_DELETE(self) -> None:
        """Says that it is gone."""
        self._answer({"deleted": self.path.rpartition("/")[2]})

    def _answer(self, shown: dict[str, str]) -> None:
        given = self.headers.get("authorization", "")
        knows = hmac.compare_digest(given.encode(), f"Bearer {KEY}".encode())
        body = json.dumps(shown if knows else {"error": "wrong key"}).encode()
        self.send_response(200 if knows else 401)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing of each request."""


def main() -> None:
    """Serves until it is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    host, _, port = LISTEN.rpartition(":")
    server = ThreadingHTTPServer((host, int(port)), Crm)
    print(f"crm on 127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
