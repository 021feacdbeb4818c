"""What all storages share: objects, their versions and their URIs.

A URI is a scheme and a plain path or key: nothing is percent-decoded, because Hadoop's ``Path`` does not
decode either, and both must name the same file.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from orchard_jobs.errors import OrchardError

MOST_OF_JSON = 2**24
"""Maximum bytes of a run's JSON file; real ones have a few thousand."""

MOST_OF_BASIS = 2**27
"""Maximum bytes of basis.npz, compressed or not; 1,280 components of 1,280 features have 13 MB."""

ABSENT = ""
"""The version of an object that does not exist."""


class Versioned(NamedTuple):
    """An object's bytes and a token that changes with them."""

    data: bytes
    version: str


class Stored(NamedTuple):
    """An object below a folder: its relative path, its size in bytes, and when it was written."""

    name: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Reads of a missing object raise FileNotFoundError; writes are atomic."""

    def read(self, uri: str, at_most: int | None = None) -> Versioned:
        """Return an object; raise OrchardError, without reading, if it has more than ``at_most`` bytes."""

    def open(self, uri: str) -> BinaryIO:
        """Return an object as a seekable file, to read parts of it."""

    def write(self, uri: str, data: bytes) -> None: ...

    def replace(self, uri: str, data: bytes, version: str) -> None:
        """Write if the object still has ``version``; raise OrchardError otherwise."""

    def delete(self, uri: str) -> None:
        """Delete an object; a missing one is not an error."""

    def delete_folder(self, uri: str) -> None:
        """Delete every object below the folder ``uri``; a missing folder is not an error."""

    def objects(self, uri: str) -> list[Stored]:
        """Return every object below the folder ``uri``, recursively, including hidden ones."""

    def folders(self, uri: str) -> list[str]:
        """Return the names of the folders directly in the folder ``uri``, sorted."""

    def names(self, uri: str) -> list[str]:
        """Return the names of the objects directly in the folder ``uri``, sorted; empty if it is missing."""


def to_uri(given: str) -> str:
    """Return a URI unchanged, and a path as a ``file://`` URI: the command line accepts both."""
    return given.rstrip("/") if "://" in given else f"file://{Path(given).expanduser().absolute()}"


def local_path(uri: str) -> Path:
    """Return the path that a ``file://`` URI names."""
    return Path(uri.removeprefix("file://"))


def bucket_and_key(uri: str) -> tuple[str, str]:
    """Split an ``s3://`` URI; the key is '' for a bare bucket."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def refuse_large(uri: str, size: int, at_most: int | None) -> None:
    """Raise OrchardError for an object of more than ``at_most`` bytes."""
    if at_most is not None and size > at_most:
        raise OrchardError(
            f"{uri} has {size} bytes",
            rule=f"the limit is {at_most} bytes, because nodes can write there",
            remedy="find out what wrote it",
        )


def changed(uri: str) -> OrchardError:
    return OrchardError(
        f"{uri} has changed since it was read",
        rule="one run publishes at a time",
        remedy="clear this run's task 'sense', so that it builds on what the other run published",
    )


def read_json(storage: Storage, uri: str) -> Any:
    """Return the content of a JSON file of at most MOST_OF_JSON bytes: a node may have written it.

    Raises:
        FileNotFoundError: if it does not exist.
        ValueError: if it is not JSON.
        OrchardError: if it is larger.
    """
    return json.loads(storage.read(uri, MOST_OF_JSON).data)


def to_json(content: Mapping[str, Any]) -> bytes:
    """Return indented JSON."""
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
