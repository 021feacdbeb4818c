"""Runs a command and measures its whole process tree: seconds, CPU seconds and peak memory.

On Linux it reads ``/proc``, because the JVM does not wait for its Python workers, so ``getrusage`` does not
include them. On other systems, CPU and memory are left out.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LOOK_INTERVAL = 0.1  # seconds between samples; what a process uses after its last sample is lost
PROC = Path("/proc")


class CommandError(Exception):
    """A command failed; the message has the end of its output."""


@dataclass(frozen=True)
class Cost:
    """The resources that a command used.

    Args:
        seconds: Elapsed seconds.
        cpu: CPU seconds of its processes, by their role: worker, driver, jvm.
        memory: Peak resident memory of one process in MB, by its role.
    """

    seconds: float
    cpu: Mapping[str, float]
    memory: Mapping[str, float]


def run_watched(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Cost:
    """Run ``command`` to its end; its output goes to ``log``.

    Raises:
        CommandError: if it fails.
    """
    watch = _Watch()
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        watch.start(process.pid)
        try:
            code = process.wait()
        finally:
            watch.stop()
            for left in _find_session(
                process.pid
            ):  # in any case: no leftover process may disturb the next command
                with suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)
    seconds = time.perf_counter() - started
    if code:
        last = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise CommandError(f"{' '.join(command[:4])} … ended with {code}:\n{last}")
    return Cost(round(seconds, 3), watch.cpu_seconds(), watch.peak_memory())


class _Watch:
    """Samples a process and its descendants while they live."""

    def __init__(self) -> None:
        self._cpu: dict[int, tuple[str, float]] = {}
        self._memory: dict[str, float] = {}
        self._ended = threading.Event()

    def start(self, root: int) -> None:
        self._thread = threading.Thread(target=self._look_until_end, args=(root,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def cpu_seconds(self) -> dict[str, float]:
        total: dict[str, float] = {}
        for role, seconds in self._cpu.values():
            total[role] = round(total.get(role, 0.0) + seconds, 2)
        return total

    def peak_memory(self) -> dict[str, float]:
        return {role: round(megabytes, 1) for role, megabytes in sorted(self._memory.items())}

    def _look_until_end(self, root: int) -> None:
        while not self._ended.wait(LOOK_INTERVAL):
            for process in _find_session(root):
                self._look_at(process)

    def _look_at(self, process: int) -> None:
        with suppress(OSError, IndexError, ValueError):  # a process may end at any moment
            role, seconds, peak = _role(process), _cpu_seconds(process), _peak_megabytes(process)
            self._cpu[process] = role, seconds
            self._memory[role] = max(self._memory.get(role, 0.0), peak)


def _find_session(leader: int) -> Iterator[int]:
    """Return all processes of the session, including those whose parent has ended."""
    for entry in PROC.iterdir() if PROC.is_dir() else ():
        if entry.name.isdigit():
            with suppress(OSError):
                if os.getsid(int(entry.name)) == leader:
                    yield int(entry.name)


def _cpu_seconds(process: int) -> float:
    fields = (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: proc(5)


def _peak_megabytes(process: int) -> float:
    for line in (PROC / str(process) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise ValueError("a process that has ended")


def _role(process: int) -> str:
    command = (PROC / str(process) / "cmdline").read_bytes().decode(errors="replace")
    if not command:
        raise ValueError("a process that has ended")
    if "pyspark.daemon" in command:
        return "worker"
    return "jvm" if command.split("\0")[0].endswith("java") else "driver"
