"""What a test expects to be refused, whether raised in process or answered by a server."""

from __future__ import annotations

from caracal_grpc.interceptors.testing import Refused, refused

__all__ = ["Refused", "refused"]
