"""``make down``: stops what ``make up`` started, with every process below it."""

from __future__ import annotations

import sys

import psutil

from local.up import PID_FILE, find_running

STOP_SECONDS = 120.0


def main() -> int:
    process = find_running()
    if process is None:
        print("Nothing is up.")
        return 0
    tree = [process, *process.children(recursive=True)]
    process.terminate()  # it ends its clusters and Airflow's processes in order
    _, alive = psutil.wait_procs(tree, STOP_SECONDS)
    for one in alive:
        one.kill()
    PID_FILE.unlink(missing_ok=True)
    print("Stopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
