"""Ports of loopback that nobody uses. Standard library only."""

import socket


def free_ports(count: int) -> list[int]:
    """Return as many different ones."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]
