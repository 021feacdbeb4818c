"""The files of one git revision: what is committed is deployed, never what lies in the working tree."""

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
    """A commit, by its whole hash, and its files by their path from the top."""

    commit: str
    files: Mapping[str, bytes]

    @property
    def name(self) -> str:
        """What its folder in the bucket is called."""
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
            remedy="Give a newer one",
        )


def read_revision(repository: Path, asked: str | None) -> Revision:
    """Read the revision ``asked``, or without one the checked out, which then has to be all there is.

    Raises:
        OrchardError: if there is no such revision, or something is not committed.
    """
    if not asked:
        _refuse_uncommitted(repository)
    commit = _resolve(repository, asked or "HEAD")
    archive = _git(repository, "archive", "--format=tar", commit)
    return Revision(commit, _unpack(archive.stdout))


def _refuse_uncommitted(repository: Path) -> None:
    status = _git(repository, "status", "--porcelain", "--untracked-files=all")
    changes = [line[3:] for line in status.stdout.decode().splitlines()]
    if status.returncode:
        raise OrchardError(
            f"{repository} is no git repository", rule="what is deployed is a revision", remedy="Clone it"
        )
    if changes:
        more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
        raise OrchardError(
            f"not committed: {', '.join(changes[:SHOWN_CHANGES])}{more}",
            rule="what is deployed is a revision",
            remedy="Commit or stash, or name one: --revision=HASH, or REVISION=HASH with make",
        )


def _resolve(repository: Path, asked: str) -> str:
    found = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{asked}^{{commit}}")
    if found.returncode:
        raise OrchardError(
            f"the revision {asked}",
            rule="this repository has no such commit",
            remedy="`git fetch` gets more",
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
