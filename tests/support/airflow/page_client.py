"""Clients of Airflow's pages with real tokens, in the tests' process. Fixtures."""

from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.api_fastapi.app import init_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount

from orchard.pages.app import create_app

Visit = Callable[..., TestClient]


@pytest.fixture
def visit(airflow_db: None, tmp_path: Path) -> Visit:
    """Return a function that returns a client for a lake and a role, with the pages mounted as in Airflow."""
    signer = init_auth_manager()

    def make(
        lake: str | None = None, role: str | None = "VIEWER", prefix: str = "", **variables: str
    ) -> TestClient:
        environ = {"ORCHARD_LAKE": lake or f"file://{tmp_path}", **variables}
        airflow = Starlette(routes=[Mount("/orchard", create_app(environ))])
        client = TestClient(airflow, raise_server_exceptions=False, root_path=prefix)
        if role != "nobody":
            user = SimpleAuthManagerUser(username="someone", role=role)
            client.headers["Authorization"] = f"Bearer {signer.generate_jwt(user)}"
        return client

    return make
