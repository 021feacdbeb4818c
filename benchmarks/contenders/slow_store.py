"""Serves a folder like S3 with a delay per request, to measure featurize with a distant bucket.

On loopback, read-only, without checking signatures: it only handles GET of ``/<bucket>/<key>``.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

BUCKET = "images"


@contextmanager
def serve(folder: Path, delay: float) -> Iterator[str]:
    """Serve ``folder`` as the bucket BUCKET while the block runs; yield the endpoint's URL."""
    server = _Server(folder, delay)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, folder: Path, delay: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder, self.delay = folder.resolve(), delay


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open, like S3
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        time.sleep(self.server.delay)
        path = self._find()
        if path is None:
            self._answer(HTTPStatus.NOT_FOUND, b"<Error><Code>NoSuchKey</Code></Error>", 0.0)
        else:
            self._answer(HTTPStatus.OK, path.read_bytes(), path.stat().st_mtime)

    def _find(self) -> Path | None:
        key = unquote(urlsplit(self.path).path).removeprefix(f"/{BUCKET}/")
        path = (self.server.folder / key).resolve()
        return path if path.is_relative_to(self.server.folder) and path.is_file() else None

    def _answer(self, status: HTTPStatus, body: bytes, modified: float) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{len(body):x}"')
        self.send_header("Last-Modified", formatdate(modified, usegmt=True))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a line per image would add to the measured time."""
