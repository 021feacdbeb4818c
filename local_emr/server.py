"""The HTTP server, on loopback by default: EMR's protocol at `/`, faults at `/_control/…`.

All requests must be signed (see authentication.py), except GET /_health.

- POST /_control/faults: add a fault, see faults.py
- GET /_control/faults: list the active faults and the rate limit
- DELETE /_control/faults: remove them all
- POST /_control/rate-limit: {"per_second": 5, "burst": 10}
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import threading
import uuid
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from local_emr.authentication import Endpoint, authenticate
from local_emr.errors import (
    AccessDeniedError,
    EmrError,
    InternalServerError,
    RequestTooLargeError,
)
from local_emr.execution.registry import ClusterRegistry
from local_emr.faults import Fault, FaultPlan
from local_emr.requests.api import Api, DroppedError
from local_emr.requests.protocol import CONTENT_TYPE, encode_error
from local_emr.settings import Settings

_LOGGER = logging.getLogger(__name__)
_MAX_BODY = 4 << 20


class EmrServer:
    """The local EMR, a context manager that starts and stops it. `faults` can be set at any time."""

    def __init__(self, settings: Settings) -> None:
        self.faults = FaultPlan()
        self.host_names = settings.host_names
        self._access_key = settings.access_key
        self._clusters = ClusterRegistry()
        self.api = Api(settings, self._clusters, self.faults)
        handler = type("Handler", (_Handler,), {"emr": self})
        try:
            self._http = _HttpServer((settings.listen, settings.port), handler)
        except OSError as error:
            raise OSError(
                f"cannot listen on port {settings.port} of {settings.listen}: {error.strerror}"
            ) from error
        self._thread = threading.Thread(target=self._http.serve_forever, name="http", daemon=True)

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.url, self._access_key)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Stop taking requests, then end every cluster with its processes."""
        self._http.shutdown()
        self._http.server_close()
        self._clusters.close()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not log a caller that hangs up as an error of the server."""
        _LOGGER.debug("%s of %s", request, client_address, exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    emr: EmrServer
    protocol_version = "HTTP/1.1"
    timeout = 60  # idle connections are closed after this
    server_version = "LocalEMR"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self._respond(self._post)

    def do_GET(self) -> None:
        self._respond(self._get)

    def do_DELETE(self) -> None:
        self._respond(self._delete)

    def _respond(self, answer: Any) -> None:
        status, content = 200, b"{}"
        try:
            self._validate_host()
            content = answer()
        except DroppedError:
            self._reset()
            return
        except EmrError as error:
            status, content = error.status, encode_error(error)
        except Exception as error:
            _LOGGER.exception("%s %s", self.command, self.path)
            status, content = (
                500,
                encode_error(InternalServerError(f"internal error of the local EMR: {error!r}")),
            )
        with contextlib.suppress(ConnectionError):
            self._send(status, content)

    def _post(self) -> bytes:
        body = self._read_authentic_body()
        if self.path == "/":
            return self.emr.api.answer(self.headers.get("X-Amz-Target"), body)
        asked = _parse_control(self.headers.get("Content-Type"), body)
        try:
            if self.path == "/_control/faults":
                self.emr.faults.add(Fault(**asked))
            elif self.path == "/_control/rate-limit":
                self.emr.faults.limit_rate(**asked)
            else:
                raise EmrError(f"no such path: {self.path}")
        except (TypeError, ValueError) as error:
            raise EmrError(str(error)) from error
        return b"{}"

    def _get(self) -> bytes:
        if self.path == "/_health":
            return b"{}"
        self._read_authentic_body()
        self._expect_faults_path()
        return json.dumps(self.emr.faults.describe()).encode()

    def _delete(self) -> bytes:
        self._read_authentic_body()
        self._expect_faults_path()
        self.emr.faults.clear()
        return b"{}"

    def _expect_faults_path(self) -> None:
        if self.path != "/_control/faults":
            raise EmrError(f"no such endpoint: {self.command} {self.path}")

    def _validate_host(self) -> None:
        """Refuse foreign host names, so that no web page reaches the server by DNS rebinding."""
        host = self.headers.get("Host", "").rpartition(":")[0] or self.headers.get("Host", "")
        if host not in self.emr.host_names:
            self.close_connection = True
            raise AccessDeniedError(f"Host is {host!r}: the local EMR accepts {sorted(self.emr.host_names)}")

    def _read_authentic_body(self) -> bytes:
        body = self._read_body()
        authenticate(self.emr.endpoint.access_key, self.command, self.path, self.headers, body)
        return body

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            self.close_connection = True
            raise EmrError("a request needs a Content-Length and no Transfer-Encoding")
        if int(length) > _MAX_BODY:
            self.close_connection = True
            raise RequestTooLargeError(f"the body has {length} bytes: at most {_MAX_BODY} are read")
        return self.rfile.read(int(length))

    def _send(self, status: int, content: bytes) -> None:
        self.send_response(status, HTTPStatus(status).phrase)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("x-amzn-RequestId", str(uuid.uuid4()))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def _reset(self) -> None:
        """Close with RST instead of FIN, so that the peer sees `connection reset`."""
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def log_message(self, format: str, *arguments: Any) -> None:
        _LOGGER.debug(format, *arguments)


def _parse_control(content_type: str | None, body: bytes) -> dict[str, Any]:
    # A web page may post text/plain anywhere, but JSON only after a CORS preflight.
    if not (content_type or "").startswith("application/json"):
        raise EmrError(f"Content-Type is {content_type!r}: it must be application/json")
    try:
        value = json.loads(body)
    except ValueError as error:
        raise EmrError(f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise EmrError("the body must be a JSON object")
    return value
