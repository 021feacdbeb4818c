"""The files of a git revision: only committed files are deployed, never the working tree."""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchard_jobs.errors import OrchardError

SHOWN_CHANGES = 5


@dataclass(frozen=True)
class Revision:
    """A commit, by its full hash, and its files by path."""

    commit: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """Name of its folder in the bucket."""
        return self.commit[:12]

    def read(self, *paths: str) -> bytes:
        """Return the file at the first of ``paths`` that it has.

        Raises:
            OrchardError: if it has none of them.
        """
        for path in paths:
            if path in self.files:
                return self.files[path]
        raise OrchardError(
            f"revision {self.name} has no {paths[0]}",
            rule="it is older than `make deploy`",
            remedy="Use a newer one",
        )


def read_revision(repository: Path, asked: str | None) -> Revision:
    """Read the requested revision, or the checked-out one, which then must have no uncommitted changes.

    Raises:
        OrchardError: if there is no such revision, or something is not committed.
    """
    if not asked:
        _validate_clean_tree(repository)
    commit = _resolve(repository, asked or "HEAD")
    archive = _git(repository, "archive", "--format=tar", commit)
    return Revision(commit, _unpack(archive.stdout))


def _validate_clean_tree(repository: Path) -> None:
    status = _git(repository, "status", "--porcelain", "--untracked-files=all")
    changes = [line[3:] for line in status.stdout.decode().splitlines()]
    if status.returncode:
        raise OrchardError(
            f"{repository} is not a git repository",
            rule="only a git revision can be deployed",
            remedy="Clone it",
        )
    if changes:
        more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
        raise OrchardError(
            f"not committed: {', '.join(changes[:SHOWN_CHANGES])}{more}",
            rule="only a git revision can be deployed",
            remedy="Commit or stash, or name one: --revision=HASH, or REVISION=HASH with make",
        )


def _resolve(repository: Path, asked: str) -> str:
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{asked}^{{commit}}")
    if found.returncode:
        raise OrchardError(
            f"the revision {asked}",
            rule="this repository has no such commit",
            remedy="Run `git fetch` if it is newer",
        )
    return found.stdout.decode().strip()


def _unpack(archive: bytes) -> dict[str, bytes]:
    files = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        for member in members:
            content = members.extractfile(member) if member.isfile() else None
            if content:
                files[member.name] = content.read()
    return files


def _git(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(["git", "-C", repository, *arguments], capture_output=True, check=False)
