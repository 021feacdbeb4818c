"""Servers on loopback that receive notifications: a webhook and a mail server. SNS is moto's."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@contextmanager
def webhook(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """Yield the URL of a webhook, and the JSON bodies that it has received."""
    received: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/json"
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as (host, port):
        yield f"http://{host}:{port}", received


@contextmanager
def mail_server() -> Iterator[tuple[int, list[tuple[list[str], Message]]]]:
    """Yield the port of a mail server, and the recipients and content of each mail."""
    received: list[tuple[list[str], Message]] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 here")
            recipients: list[str] = []
            while line := self.rfile.readline().decode().strip():
                command = line[:4].lower()
                if command == "rcpt":
                    recipients.append(line.partition(":")[2].strip("<>"))
                if command == "data":
                    self.say("354 go on")
                    received.append((recipients, message_from_bytes(b"".join(self.lines_of_mail()))))
                self.say("221 bye" if command == "quit" else "250 ok")

        def lines_of_mail(self) -> Iterator[bytes]:
            while (line := self.rfile.readline()) != b".\r\n":
                yield line

        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as (_, port):
        yield port, received


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[tuple[str, int]]:
    server.daemon_threads = True  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_address[0], server.server_address[1]  # type: ignore[misc]
    server.shutdown()
    server.server_close()
