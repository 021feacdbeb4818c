"""Every dependency is pinned with a version and hashes, and has a reason."""

import re

import pytest

from tests.support.checkout import ROOT

MANAGED = "deployment/requirements-mwaa.txt"
"""Not pinned here: managed Airflow uses Airflow's constraints, which have no hashes."""

FOUND = [*ROOT.glob("requirements*.txt"), *ROOT.glob("[a-z]*/requirements*.txt")]
NAMES = {path.relative_to(ROOT).as_posix() for path in FOUND if path.parent.name != "build"}
LOCKS = sorted(NAMES - {MANAGED})
INSTALLERS = ["Makefile", *sorted(f"docker/{path.name}" for path in (ROOT / "docker").glob("*.Dockerfile"))]


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes(lock: str) -> None:
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    pins = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    assert pins
    assert [pin for pin in pins if not re.match(r"[a-z0-9._-]+(\[[a-z0-9,-]+\])?==\S+ ", pin)] == []
    assert [pin for pin in pins if "--hash=sha256:" not in pin] == []
    assert "index-url" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_a_reason(lock: str) -> None:
    source = (ROOT / lock).with_suffix(".in")
    named = [line for line in source.read_text().splitlines() if re.match("[a-z]", line)]
    assert named
    if lock != "docker/requirements-emr.txt":  # its heading has the reason
        assert [line for line in named if not re.search(r"==\S+\s+# \S", line)] == []
    assert f"{lock.rpartition('/')[2]}\n" in (ROOT / "Makefile").read_text()  # `make lock` writes it


@pytest.mark.parametrize("installer", INSTALLERS)
def test_every_installation_requires_hashes(installer: str) -> None:
    text = (ROOT / installer).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install .*", text)
    assert [line for line in installs if "--require-hashes" not in line and "--editable" not in line] == []


def test_managed_airflow_is_tested_with_what_is_deployed_to_it() -> None:
    """The tests use the versions of Airflow and Python in the constraints line, and the same other pins."""
    deployed, tested = (ROOT / MANAGED).read_text(), (ROOT / "tests/requirements-mwaa.in").read_text()
    versions = re.search(r"constraints-([\d.]+)/constraints-([\d.]+)\.txt", deployed)
    assert versions is not None
    airflow, python = versions.groups()
    assert f"\napache-airflow=={airflow} " in tested
    assert f"--python-version {python} --exclude-newer" in (ROOT / "Makefile").read_text()
    for requirement in re.findall(r"^[a-z].*$", deployed, re.MULTILINE):
        assert re.search(rf"^{re.escape(requirement)}\b", tested, re.MULTILINE), requirement
