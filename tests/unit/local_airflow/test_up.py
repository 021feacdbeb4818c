"""What `orchard up` leaves in the background is for the user who started it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_airflow import up
from local_airflow.demo import Request

NO_PORT = 70_000
"""The local EMR refuses to start on it, and all that was started ends."""


@pytest.fixture
def generous_umask() -> Iterator[None]:
    """The usual one, with which everybody may read what a process writes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("generous_umask")
def test_what_orchard_up_writes_is_for_its_user_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder that an earlier version left open, too."""
    home = tmp_path / "state" / "up"
    home.mkdir(parents=True)
    monkeypatch.setattr(up, "HOME", home)
    monkeypatch.setattr(up, "PID_FILE", home / "serve.pid")
    request = Request(images=None, weights=None, lake=tmp_path / "lake", emr_port=NO_PORT)

    up.start_server(request, tmp_path / "images", "file:///model", port=0).wait(60)

    assert "port is 70000" in (home / "emr.log").read_text()  # so a child of the child has written
    written = [home, *home.rglob("*")]
    assert {path.name for path in written} >= {"up", "serve.log", "serve.pid", "emr.log", "emr"}
    assert {str(path): stat.filemode(path.stat().st_mode) for path in written if _is_open(path)} == {}


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def test_how_to_sign_in_is_told_with_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(up, "HOME", tmp_path)
    file = tmp_path / "simple_auth_manager_passwords.json.generated"
    assert up.read_password() == f"in {file}"
    file.write_text('{"admin": "secret"}')
    address = up.Address(8080, tmp_path, tmp_path, None)
    assert "sign in    user admin, password secret\n" in address.describe()
