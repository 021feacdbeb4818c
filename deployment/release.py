"""Tag a release and build its artefacts: ``make release VERSION=1.2.3``. Nothing is pushed.

The artefacts are in build/release/: the sources, the files that a cluster needs, the SBOM if `make sbom` has
written one, and their SHA-256 sums. Standard library only, so that any Python 3.11 can run it.
"""

import datetime
import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from bootstrap.package import code_files
from deployment.archive import zip_files
from deployment.revision import read_revision
from orchard_jobs.errors import OrchardError

BRANCH = "main"
ARTEFACTS = Path("build", "release")
SBOMS = "sbom-*.json"


def main(repository: Path, version: str) -> None:
    """Check, build, and tag last: a failed build leaves no tag. Print what is left to do.

    Raises:
        OrchardError: if the version or the state of the repository does not allow a release.
    """
    _validate_version(repository, version)
    notes = _read_notes(repository, version, datetime.datetime.now(datetime.UTC).date())
    _validate_repository(repository, tag := f"v{version}")
    revision = read_revision(repository, "HEAD")
    artefacts = _build_artefacts(repository, version, zip_files(code_files(revision.files)))
    _git(
        repository, "tag", "--annotate", "--cleanup=verbatim", f"--message=Orchard {version}\n\n{notes}", tag
    )
    print(f"Tagged {revision.name} as {tag}. Artefacts in {ARTEFACTS}:")
    for path in artefacts:
        print(f"  {path.name}  {path.stat().st_size:,} bytes")
    print(f"Nothing has been pushed. To publish: git push origin {BRANCH} {tag}")


def _validate_version(repository: Path, version: str) -> None:
    if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", version):
        raise OrchardError(
            f"VERSION={version}", rule="a version is three numbers", remedy="Set, for example, VERSION=0.2.0"
        )
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    if version != project["version"]:
        raise OrchardError(
            f"VERSION={version}",
            rule=f"pyproject.toml has version {project['version']}",
            remedy="Change one of them, and commit",
        )


def _read_notes(repository: Path, version: str, today: datetime.date) -> str:
    """Return the changelog's section for ``version``, without its heading."""
    heading = f"## [{version}] - {today.isoformat()}"
    changelog = (repository / "CHANGELOG.md").read_text(encoding="utf-8")
    _, found, rest = f"\n{changelog}".partition(f"\n{heading}\n")
    notes = rest.partition("\n## [")[0].strip()
    if not found or not notes:
        raise OrchardError(
            f"CHANGELOG.md has no entries under '{heading}'",
            rule="a release lists its changes under its version and today's date (UTC)",
            remedy="Move the entries from [Unreleased] to that heading, and commit",
        )
    return notes


def _validate_repository(repository: Path, tag: str) -> None:
    if changes := _git(repository, "status", "--porcelain"):
        raise OrchardError(
            f"uncommitted changes in {changes.splitlines()[0][3:]}",
            rule="a release is a commit",
            remedy="Commit or stash all changes",
        )
    branch = _git(repository, "branch", "--show-current").strip() or "a detached HEAD"
    if branch != BRANCH:
        raise OrchardError(
            f"{branch} is checked out",
            rule=f"releases are made from {BRANCH}",
            remedy=f"Merge it and run `git switch {BRANCH}`",
        )
    if _git(repository, "tag", "--list", tag):
        raise OrchardError(
            f"the tag {tag} exists", rule="a release is never changed", remedy="Release the next version"
        )


def _build_artefacts(repository: Path, version: str, cluster_zip: bytes) -> list[Path]:
    folder = repository / ARTEFACTS
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    name = f"orchard-{version}"
    sources = folder / f"{name}.tar.gz"
    _git(repository, "archive", "--format=tar.gz", f"--prefix={name}/", f"--output={sources}", "HEAD")
    (folder / f"{name}-cluster.zip").write_bytes(cluster_zip)
    for sbom in folder.parent.glob(SBOMS):
        shutil.copy(sbom, folder / f"{name}-{sbom.name}")
    artefacts = sorted(folder.iterdir())
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in artefacts)
    (folder / "SHA256SUMS").write_text(sums, encoding="utf-8")
    return [*artefacts, folder / "SHA256SUMS"]


def _git(repository: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", repository, *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OrchardError(
            f"git {arguments[0]} failed", rule=" ".join(done.stderr.split()), remedy="Fix that, and try again"
        )
    return done.stdout


if __name__ == "__main__":
    try:
        main(Path.cwd(), *sys.argv[1:])
    except OrchardError as error:
        print(f"orchard: {error.message}", f"hint: {error.hint}", sep="\n", file=sys.stderr)
        sys.exit(2)
