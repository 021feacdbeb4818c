"""What the lake's storages have in common: objects, their versions, and the URIs that name them.

After the scheme of a URI comes the plain path or key: nothing is percent-decoded, because Hadoop's ``Path``
does not decode either and both must name the same file.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Protocol

from orchard_jobs.errors import OrchardError

MOST_OF_JSON = 2**24
"""Bytes of a file that tells of a run; real ones have a few thousand."""

MOST_OF_BASIS = 2**27
"""Bytes of basis.npz, packed and unpacked; 1,280 components of 1,280 features have 13 MB."""

ABSENT = ""
"""The version of an object that does not exist."""


class Versioned(NamedTuple):
    """An object's bytes and a token that changes with them."""

    data: bytes
    version: str


class Stored(NamedTuple):
    """An object below a folder: its path in there, its bytes, and when it was written."""

    name: str
    size: int
    modified: datetime


class Storage(Protocol):
    """Reads raise FileNotFoundError; writes are seen whole or not at all."""

    def read(self, uri: str, at_most: int | None = None) -> Versioned:
        """Return an object whole; raise OrchardError for one of more than ``at_most`` bytes, unread."""

    def open(self, uri: str) -> BinaryIO:
        """Return an object to read parts of, without the rest of it."""

    def write(self, uri: str, data: bytes) -> None: ...

    def replace(self, uri: str, data: bytes, version: str) -> None:
        """Write only if the object still has ``version``; raise OrchardError if it has not."""

    def delete(self, uri: str) -> None:
        """Delete an object; one that is not there is no error."""

    def delete_folder(self, uri: str) -> None:
        """Delete every object below the folder ``uri``; one that is not there is no error."""

    def objects(self, uri: str) -> list[Stored]:
        """Return every object below the folder ``uri``, however deep, hidden ones too."""

    def folders(self, uri: str) -> list[str]:
        """Return the names of the folders directly in the folder ``uri``, sorted."""

    def names(self, uri: str) -> list[str]:
        """Return the names of the objects directly in the folder ``uri``, sorted; none if it is absent."""


def to_uri(given: str) -> str:
    """Return a URI as it is, and a path as ``file://``, as people give either on a command line."""
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
            rule=f"at most {at_most} are read of it: nodes may write there",
            remedy="see who has written it",
        )


def changed(uri: str) -> OrchardError:
    return OrchardError(
        f"{uri} has changed since it was read",
        rule="one run publishes at a time",
        remedy="clear this run's task 'sense', so that it starts from what the other run published",
    )


def read_json(storage: Storage, uri: str) -> Any:
    """Return what a JSON file says, which a node may have written: no more than MOST_OF_JSON is read of it.

    Raises:
        FileNotFoundError: where there is none.
        ValueError: where it is no JSON.
        OrchardError: where it is larger.
    """
    return json.loads(storage.read(uri, MOST_OF_JSON).data)


def to_json(content: Mapping[str, Any]) -> bytes:
    """Return JSON as people read it."""
    return json.dumps(content, indent=2, ensure_ascii=False).encode() + b"\n"
