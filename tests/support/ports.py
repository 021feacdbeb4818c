"""Free ports on loopback. Standard library only."""

import socket


def free_ports(count: int) -> list[int]:
    """Return ``count`` different free ports."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]
