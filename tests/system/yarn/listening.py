"""Which addresses the processes of a test listen on, for as long as it runs."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from typing import NamedTuple

import psutil

LOOK_SECONDS = 2.0


class Listener(NamedTuple):
    """What the command line of a process holds, and where it listens."""

    command: str
    address: str


@contextmanager
def watching_listeners() -> Iterator[set[Listener]]:
    """The sockets of all descendants of this process: what has been seen, when the block has ended."""
    seen: set[Listener] = set()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(LOOK_SECONDS):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error):
                    seen.update(_listeners(process))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        is_over.set()
        watcher.join()


def is_loopback(listener: Listener) -> bool:
    address = ip_address(listener.address.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _listeners(process: psutil.Process) -> Iterator[Listener]:
    command = " ".join(process.cmdline())
    for connection in process.net_connections("inet"):
        if connection.status == psutil.CONN_LISTEN or connection.type == socket.SOCK_DGRAM:
            yield Listener(command, connection.laddr.ip)
