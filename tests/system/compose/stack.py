"""Starts and stops docker-compose.yaml, and sends requests to its services."""

from __future__ import annotations

import json
import shutil
import urllib.error
import urllib.request
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.checkout import ROOT
from tests.system.compose.command import FailedError, run, wait_for

PROJECT = "orchard-compose-test"
LONG_RUNNING = {
    "postgres",
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
    "emr",
    "history",
    "jupyter",
}
HEALTHY_SECONDS = 600.0
ASK_SECONDS = 300.0  # long enough for a busy machine


@dataclass(frozen=True)
class Stack:
    """The services with the settings of a .env file."""

    env_file: Path
    settings: dict[str, str]

    def compose(self, *arguments: str) -> str:
        given = ["--project-name", PROJECT, "--env-file", str(self.env_file), "--profile", "notebook"]
        given += ["--profile", "history"]
        return run(*_program(), "--file", str(ROOT / "docker-compose.yaml"), *given, *arguments)

    def up(self) -> None:
        """Start all services, and wait until they are healthy."""
        self.compose("up", "--detach")
        wait_for(lambda: self.healthy() == LONG_RUNNING, f"{LONG_RUNNING} healthy", HEALTHY_SECONDS)

    def containers(self) -> dict[str, dict[str, Any]]:
        """Return the output of `docker inspect` for each service's container."""
        ids = run(
            "docker", "ps", "--all", "--quiet", "--filter", f"label=com.docker.compose.project={PROJECT}"
        )
        found = json.loads(run("docker", "inspect", *ids.split())) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def healthy(self) -> set[str]:
        states = {
            name: one["State"].get("Health", {}).get("Status") for name, one in self.containers().items()
        }
        return {name for name, state in states.items() if state == "healthy"}

    def airflow(self, path: str, **content: Any) -> dict[str, Any]:
        """Send a request to Airflow's API as the user admin; POST if there is content."""
        return self._ask_airflow(f"api/v2/{path}", content or None)

    def run_json(self, slug: str) -> dict[str, Any]:
        """Return the run.json of a run from Orchard's pages in Airflow."""
        return self._ask_airflow(f"orchard/runs/{slug}/run.json")

    def _ask_airflow(self, path: str, content: dict[str, Any] | None = None) -> dict[str, Any]:
        url = f"http://127.0.0.1:{self.settings['AIRFLOW_PORT']}"
        token = log_in(url, self.settings["AIRFLOW_PASSWORD"])
        answer: dict[str, Any] = ask(f"{url}/{path}", content, token)
        return answer

    def applications(self) -> list[dict[str, Any]]:
        """Return the applications that the history server lists."""
        found: list[dict[str, Any]] = ask(
            f"http://127.0.0.1:{self.settings['HISTORY_PORT']}/api/v1/applications"
        )
        return found


@cache
def log_in(url: str, password: str) -> str:
    """Return a token. It survives `down` and `up`, as does the secret that signs it."""
    return str(ask(f"{url}/auth/token", {"username": "admin", "password": password})["access_token"])


def ask(url: str, content: dict[str, Any] | None = None, token: str = "") -> Any:
    """Return the JSON at a URL. Raises FailedError with the server's response."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = None if content is None else json.dumps(content).encode()
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise FailedError(f"{url}: {error.code} {error.read()[:500]!r}") from error


def _program() -> list[str]:
    try:
        run("docker", "compose", "version")
    except (FailedError, FileNotFoundError):
        if not shutil.which("docker-compose"):
            raise FailedError(
                "no docker compose here: install Docker Engine with its compose plugin"
            ) from None
        return ["docker-compose"]
    return ["docker", "compose"]
