"""moto's S3 on loopback; a test can watch, delay or refuse requests."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import make_server

SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"

Refuse = Callable[[str, str], bool]
"""Called before each request with its method and ``/bucket/key``; True makes the response 503 SlowDown.

It runs in the request's thread, and may block it.
"""


class S3Server:
    """An S3 server for path-style requests."""

    def __init__(self) -> None:
        self._moto: Any = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, self._answer, threaded=True, request_handler=MotoRequestHandler
        )
        logging.getLogger("werkzeug").setLevel(logging.WARNING)  # otherwise it logs each request
        self._refuse: Refuse | None = None
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    @contextmanager
    def refusing(self, refuse: Refuse) -> Iterator[None]:
        """Call ``refuse`` for each request while the block runs."""
        self._refuse = refuse
        try:
            yield
        finally:
            self._refuse = None

    def _answer(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        refuse, path = self._refuse, environ["PATH_INFO"].encode("latin-1").decode()
        if refuse and refuse(environ["REQUEST_METHOD"], path):
            start_response("503 Slow Down", [("Content-Type", "application/xml")])
            return [SLOW_DOWN]
        answer: Iterable[bytes] = self._moto(environ, start_response)
        return answer
