"""The files of a public project are present, valid and consistent."""

import hashlib
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.checkout import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
"""SHA-256 of https://www.apache.org/licenses/LICENSE-2.0.txt"""

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MARKDOWN = sorted([*ROOT.glob("*.md"), *(ROOT / ".github").rglob("*.md")])


def load(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


def list_tracked(*patterns: str) -> list[str]:
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


def test_the_licence_is_apaches_unmodified() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2
    assert PROJECT["license"] == load("CITATION.cff")["license"] == "Apache-2.0"
    assert [name for name in PROJECT["license-files"] if not (ROOT / name).exists()] == []


def test_the_version_is_in_one_place() -> None:
    """Others read it from the package's metadata, so that a release changes one line."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", PROJECT["version"])
    assigned = re.compile(
        rf"""^\s*["']?_*version_*["']?\s*[:=]\s*["']?{re.escape(PROJECT["version"])}\b""", re.M
    )
    holders = [
        name
        for name in list_tracked("*.py", "*.toml", "*.yaml", "*.yml", "*.cff", "Makefile")
        if assigned.search((ROOT / name).read_text())
    ]
    assert holders == ["pyproject.toml"]


def test_no_release_in_the_changelog_is_newer_than_the_project() -> None:
    headings = re.findall(r"^## \[(.+?)\](.*)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == ("Unreleased", "")
    releases = [tuple(map(int, version.split("."))) for version, _ in headings[1:]]
    assert releases == sorted(releases, reverse=True)
    assert all(re.fullmatch(r" - \d{4}-\d\d-\d\d", day) for _, day in headings[1:])
    assert max(releases, default=(0, 0, 0)) <= tuple(map(int, PROJECT["version"].split(".")))


def test_dependabot_watches_every_folder_with_requirements() -> None:
    [python] = [
        entry for entry in load(".github/dependabot.yml")["updates"] if entry["package-ecosystem"] == "pip"
    ]
    locked = [name for name in list_tracked("*requirements*.in") if not name.startswith("build/")]
    folders = {f"/{Path(name).parent.as_posix()}".replace("/.", "/") for name in locked}
    assert sorted(python["directories"]) == sorted(folders)


def test_pre_commit_runs_what_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    lint = re.search(r"^lint: ([a-z -]+?) ##", makefile, re.MULTILINE)
    assert lint is not None
    [repository] = load(".pre-commit-config.yaml")["repos"]
    assert repository["repo"] == "local"  # tools are pinned in one place
    assert [hook["entry"] for hook in repository["hooks"]] == [f"make {target}" for target in lint[1].split()]
    assert "make lint\n" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_has_least_privileges_and_pins_what_it_runs(workflow: Path) -> None:
    loaded = yaml.safe_load(workflow.read_text())
    assert loaded["permissions"] == {"contents": "read"}
    for name, job in loaded["jobs"].items():
        assert job["timeout-minutes"] <= 90, name
        writes = {scope for scope, access in job.get("permissions", {}).items() if access == "write"}
        assert writes <= {"pages", "id-token"}, name
    actions = re.findall(r"uses: (.+)", workflow.read_text())
    assert actions
    assert [
        action for action in actions if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)
    ] == []


def test_ci_calls_what_anybody_can_call() -> None:
    """A step is a known action, git's safe.directory, .ci/run or a target of the Makefile."""
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for workflow in WORKFLOWS:
        for job in yaml.safe_load(workflow.read_text())["jobs"].values():
            for command in (step["run"] for step in job["steps"] if "run" in step):
                known = command == ".ci/run" or command.removeprefix("make ") in targets
                assert known or command.startswith("git config --global --add safe.directory "), command


@pytest.mark.parametrize("page", MARKDOWN, ids=lambda path: path.name)
def test_relative_links_of_the_projects_pages_lead_somewhere(page: Path) -> None:
    """But those to GitHub's own pages of the repository, such as its workflows."""
    links = re.findall(r"\]\((?!https?://|#|\.\./\.\./actions/)([^)#\s]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
