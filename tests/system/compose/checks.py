"""Checks of the running containers."""

from __future__ import annotations

import re
import socket

from tests.system.compose.command import FailedError, check, run
from tests.system.compose.stack import Stack

PORTS = {"api-server": "AIRFLOW_PORT", "history": "HISTORY_PORT", "jupyter": "JUPYTER_PORT"}
SECRET = re.compile("PASSWORD|TOKEN|KEY|SECRET")


def check_loopback_only(stack: Stack) -> None:
    """Check the published ports, and the ports that the machine really listens on."""
    published = {
        name: {binding["HostIp"] for bindings in ports.values() for binding in bindings or ()}
        for name, one in stack.containers().items()
        if (ports := one["NetworkSettings"]["Ports"]) and any(ports.values())
    }
    is_local = published == {name: {"127.0.0.1"} for name in PORTS}
    check(is_local, f"published on 127.0.0.1 only: {', '.join(PORTS)}")
    numbers = {stack.settings[variable] for variable in PORTS.values()}
    listening = [
        line.split()[3] for line in run("ss", "--no-header", "--listening", "--tcp", "--numeric").splitlines()
    ]
    ours = [address for address in listening if address.rpartition(":")[2] in numbers]
    check(
        bool(ours) and all(address.startswith("127.0.0.1:") for address in ours),
        f"listening on this machine: {', '.join(sorted(ours))}",
    )
    others = _other_addresses()
    reached = [
        f"{address}:{number}" for address in others for number in numbers if _connects(address, int(number))
    ]
    check(not reached, f"on none of the {len(others)} other addresses of this machine: {reached}")


def check_processes(stack: Stack) -> None:
    """Check the users of all processes in all containers, as seen by the machine."""
    uids: dict[str, set[str]] = {}
    for name, one in stack.containers().items():
        if one["State"]["Running"]:
            lines = run("docker", "top", one["Id"], "-eo", "uid,pid,args").splitlines()[1:]
            uids[name] = {line.split()[0] for line in lines}
    check(all("0" not in found for found in uids.values()), f"no process is root's: {uids}")


def check_privileges(stack: Stack) -> None:
    for name, one in stack.containers().items():
        host = one["HostConfig"]
        hardened = host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and not host["CapAdd"]
        if not hardened or host["SecurityOpt"] != ["no-new-privileges:true"] or host["Privileged"]:
            raise FailedError(f"NOT SO: {name} is read-only, without capabilities and new privileges")
    check(True, "every container is read-only, without capabilities, without new privileges")


def check_no_secret_is_told(stack: Stack) -> None:
    """Check that no secret of .env is in an image or in a log."""
    secrets = {name: value for name, value in stack.settings.items() if SECRET.search(name)}
    images = sorted({one["Image"] for one in stack.containers().values()})
    told = run("docker", "image", "inspect", *images)
    told += "".join(run("docker", "history", "--no-trunc", image) for image in images)
    told += stack.compose("logs", "--no-color")
    found = sorted(name for name, value in secrets.items() if value in told)
    check(
        len(secrets) >= 6 and not found,
        f"none of {len(secrets)} secrets is in an image's history or in a log: {found}",
    )


def _other_addresses() -> list[str]:
    addresses = run("hostname", "--all-ip-addresses").split()
    return [address for address in addresses if ":" not in address]


def _connects(address: str, port: int) -> bool:
    with socket.socket() as connection:
        connection.settimeout(3)
        return connection.connect_ex((address, port)) == 0
