"""`make release` tags a commit and builds its artefacts, or refuses and leaves nothing behind."""

import datetime
import hashlib
import io
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.support.checkout import ROOT

VERSION = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[1]  # type: ignore[index]
NOTES = "### Added\n\n- A change for the test of the release.\n\n#### Not a comment of git's"
IDENTITY = {
    f"GIT_{role}_{what}": "release@localhost"
    for role in ("AUTHOR", "COMMITTER")
    for what in ("NAME", "EMAIL")
}
ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository with this checkout's files, and today's section in its changelog."""
    folder = tmp_path_factory.mktemp("prepared")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    today = datetime.datetime.now(datetime.UTC).date()
    section = f"## [{VERSION}] - {today}\n\n{NOTES}\n\n## [0.0.1] - 2026-01-01\n\n- Older.\n"
    (folder / "CHANGELOG.md").write_text(f"# Changelog\n\n## [Unreleased]\n\n{section}")
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message=Ready")
    return folder


@pytest.fixture
def checkout(prepared: Path, tmp_path: Path) -> Path:
    """Return a clone of its own for each test, with main checked out."""
    git(tmp_path, "clone", "--quiet", str(prepared), "orchard")
    return tmp_path / "orchard"


def git(folder: Path, *arguments: str) -> str:
    environment = os.environ | IDENTITY | ISOLATED
    return subprocess.run(
        ["git", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=True
    ).stdout


def commit_change(folder: Path, name: str, old: str, new: str) -> None:
    text = (folder / name).read_text()
    assert old in text
    (folder / name).write_text(text.replace(old, new))
    git(folder, "commit", "--quiet", "--all", "--message=Change")


def make_release(folder: Path, version: str = VERSION) -> "subprocess.CompletedProcess[str]":
    environment = {name: text for name, text in os.environ.items() if not name.startswith("MAKE")}
    return subprocess.run(
        ["make", "release", f"PYTHON={sys.executable}", f"VERSION={version}"],
        cwd=folder,
        env=environment | IDENTITY | ISOLATED,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_refused(folder: Path, done: "subprocess.CompletedProcess[str]", message: str) -> None:
    assert done.returncode != 0
    assert message in done.stderr
    assert "hint: " in done.stderr
    assert not (folder / "build" / "release").exists()


def test_a_release_is_an_annotated_tag_and_artefacts_of_that_commit(checkout: Path) -> None:
    (checkout / "build").mkdir()
    (checkout / "build" / "sbom-node.json").write_text("{}")
    before = git(checkout, "status", "--porcelain")
    done = make_release(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"Nothing has been pushed. To publish: git push origin main v{VERSION}\n")
    assert git(checkout, "cat-file", "-t", f"v{VERSION}").strip() == "tag"
    message = git(checkout, "tag", "--list", "--format=%(contents)", f"v{VERSION}").strip()
    assert message == f"Orchard {VERSION}\n\n{NOTES}"
    assert git(checkout, "rev-parse", f"v{VERSION}^{{commit}}") == git(checkout, "rev-parse", "main")
    assert git(checkout, "status", "--porcelain") == before

    artefacts = {path.name: path.read_bytes() for path in (checkout / "build" / "release").iterdir()}
    name = f"orchard-{VERSION}"
    sums = artefacts.pop("SHA256SUMS").decode()
    assert set(artefacts) == {f"{name}.tar.gz", f"{name}-cluster.zip", f"{name}-sbom-node.json"}
    assert sums == "".join(
        f"{hashlib.sha256(artefacts[file]).hexdigest()}  {file}\n" for file in sorted(artefacts)
    )
    with tarfile.open(fileobj=io.BytesIO(artefacts[f"{name}.tar.gz"])) as sources:
        assert {f"{name}/LICENSE", f"{name}/NOTICE", f"{name}/pyproject.toml"} <= set(sources.getnames())
    with zipfile.ZipFile(io.BytesIO(artefacts[f"{name}-cluster.zip"])) as cluster:
        assert {"run.py", "orchard_jobs.zip", "install_node.sh", "requirements.txt"} <= set(
            cluster.namelist()
        )


def test_the_same_version_is_released_once(checkout: Path) -> None:
    git(checkout, "tag", f"v{VERSION}")
    assert_refused(
        checkout, make_release(checkout), f"the tag v{VERSION} exists: a release is never changed."
    )


@pytest.mark.parametrize("version", ["0.1", "v0.1.0", "0.1.0rc1", "0.01.0", "-1.0.0", "0.1.0 ; true"])
def test_a_version_is_three_numbers(checkout: Path, version: str) -> None:
    assert_refused(
        checkout, make_release(checkout, version), f"VERSION={version}: a version is three numbers."
    )


def test_the_version_is_that_of_the_project(checkout: Path) -> None:
    assert_refused(checkout, make_release(checkout, "9.9.9"), f"pyproject.toml has version {VERSION}.")


def test_no_version_is_refused() -> None:
    done = make_release(ROOT, "")
    assert done.returncode == 2
    assert "orchard: VERSION is not set." in done.stderr


def test_uncommitted_changes_are_refused(checkout: Path) -> None:
    (checkout / "new.py").write_text("")
    assert_refused(checkout, make_release(checkout), "uncommitted changes in new.py: a release is a commit.")


def test_another_branch_than_main_is_refused(checkout: Path) -> None:
    git(checkout, "switch", "--quiet", "--create", "feature")
    assert_refused(checkout, make_release(checkout), "feature is checked out: releases are made from main.")


def test_a_detached_head_is_refused(checkout: Path) -> None:
    git(checkout, "switch", "--quiet", "--detach")
    assert_refused(checkout, make_release(checkout), "a detached HEAD is checked out")


def test_a_changelog_of_another_day_is_refused(checkout: Path) -> None:
    today = datetime.datetime.now(datetime.UTC).date()
    commit_change(checkout, "CHANGELOG.md", f"- {today}", "- 2026-01-02")
    assert_refused(checkout, make_release(checkout), f"no entries under '## [{VERSION}] - {today}'")


def test_a_section_without_entries_is_refused(checkout: Path) -> None:
    commit_change(checkout, "CHANGELOG.md", NOTES, "")
    assert_refused(checkout, make_release(checkout), f"CHANGELOG.md has no entries under '## [{VERSION}]")
