"""A real Airflow API server in its own process, on loopback."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from local_airflow.airflow_env import serving_at
from local_spark.processes import stop_session
from tests.support.polling import wait_for


@dataclass(frozen=True)
class ApiServer:
    """The URL of the server, and its user, admin."""

    url: str
    home: Path

    @property
    def password(self) -> str:
        passwords = self.home / "simple_auth_manager_passwords.json.generated"
        return str(json.loads(passwords.read_text())["admin"])

    def log_in(self) -> requests.Session:
        """Return a session with a token, obtained like a program would."""
        session = requests.Session()
        user = {"username": "admin", "password": self.password}
        token = session.post(f"{self.url}/auth/token", json=user, timeout=60).json()["access_token"]
        session.headers["Authorization"] = f"Bearer {token}"
        return session

    def answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/api/v2/version", timeout=5).ok
        except OSError:
            return False


@contextmanager
def running_api_server(home: Path, environ: Mapping[str, str], port: int) -> Iterator[ApiServer]:
    """Start the server with ``environ``, without this checkout on its path, and stop it at the end."""
    environ = {**environ, **serving_at(port), "AIRFLOW_HOME": str(home)}
    airflow = [sys.executable, "-P", "-m", "airflow"]
    home.mkdir(exist_ok=True)
    with (home / "api-server.log").open("ab") as log:
        subprocess.run([*airflow, "db", "migrate"], env=environ, cwd="/", stdout=log, stderr=log, check=True)
        process = subprocess.Popen(
            [*airflow, "api-server"], env=environ, cwd="/", stdout=log, stderr=log, start_new_session=True
        )
    try:
        server = ApiServer(f"http://127.0.0.1:{port}", home)
        wait_for(server.answers, "the API server")
        yield server
    finally:
        stop_session(process)
