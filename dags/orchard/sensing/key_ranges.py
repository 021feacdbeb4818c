"""Split the keys below a prefix into ranges that can be listed in parallel. Sends no requests itself.

Listing starts with one range. Meanwhile ``FolderSearch`` finds folders, and an idle worker takes half of the
range with the most folders: ranges are few and long, so nearly every page is full, even if folders are small.
Any split is correct: each key is always in exactly one range.

S3 orders keys by their UTF-8 bytes, which is also the order of Python's strings.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

Page = dict[str, Any]
"""A response of ListObjectsV2."""


@dataclass
class Range:
    """The keys after ``after``, up to and including ``end``; ``after`` advances with every page."""

    after: str = ""
    end: str | None = None
    page_start: str | None = None
    """Where the last page started; None before the first page since the last split."""
    token: str | None = None
    is_done: bool = False

    @property
    def request(self) -> dict[str, str]:
        """Arguments of ListObjectsV2 for the next page."""
        if self.token:
            return {"ContinuationToken": self.token}
        return {"StartAfter": self.after} if self.after else {}

    def take(self, page: Page) -> list[dict[str, Any]]:
        """Return the page's objects that are in this range, and advance."""
        objects = page.get("Contents", [])
        self.page_start = self.after
        self.after = objects[-1]["Key"] if objects else self.after
        self.token = page.get("NextContinuationToken")
        self.is_done = not self.token or (self.end is not None and self.after >= self.end)
        return [item for item in objects if self.end is None or item["Key"] <= self.end]


class KeyRanges:
    """The ranges that are being listed, and the folders where they can be split."""

    def __init__(self) -> None:
        self._ranges = [Range()]
        self._folders: list[str] = []

    @property
    def open(self) -> list[Range]:
        """The ranges that are not completely listed."""
        self._ranges = [part for part in self._ranges if not part.is_done]
        return self._ranges

    def add_folders(self, folders: list[str]) -> None:
        self._folders += folders
        self._folders.sort()  # linear: Timsort merges two sorted runs

    def cut(self) -> Range | None:
        """Split off half of the range with the most folders ahead; None if no split is worth it."""
        longest = max(self.open, key=lambda part: len(self._ahead(part)), default=Range())
        ahead = self._ahead(longest)
        if not ahead:
            return None
        middle = self._folders[ahead[len(ahead) // 2]]
        half = Range(after=middle, end=longest.end)
        longest.end, longest.page_start = middle, None
        self._ranges.append(half)
        return half

    def _ahead(self, part: Range) -> range:
        """The indices of the folders ahead in a range; empty if they fill no more than two pages."""
        if part.page_start is None:
            return range(0)
        start, now = (bisect_right(self._folders, key) for key in (part.page_start, part.after))
        stop = len(self._folders) if part.end is None else bisect_left(self._folders, part.end)
        return range(now, stop) if stop - now > 2 * (now - start) else range(0)


class FolderSearch:
    """Adds the folders in ``prefix`` to ``ranges``, and goes deeper until it has found ``enough``."""

    def __init__(self, prefix: str, ranges: KeyRanges, enough: int) -> None:
        self._ranges = ranges
        self._enough = enough
        self._found = 0
        self._level = [prefix]
        self._deeper: list[str] = []
        self._token: str | None = None

    @property
    def is_done(self) -> bool:
        return not self._level

    @property
    def request(self) -> dict[str, str]:
        """Arguments of ListObjectsV2 for the next page."""
        begin = {"ContinuationToken": self._token} if self._token else {}
        return {"Prefix": self._level[-1], "Delimiter": "/", **begin}

    def take(self, page: Page) -> list[dict[str, Any]]:
        """Add the page's folders. Returns no objects: the ranges list those."""
        folders = [item["Prefix"] for item in page.get("CommonPrefixes", ())]
        self._ranges.add_folders(folders)
        self._found += len(folders)
        self._deeper += folders
        # A page without folders may be followed by a million files.
        self._token = page.get("NextContinuationToken") if folders else None
        if not self._token:
            self._leave_folder()
        return []

    def _leave_folder(self) -> None:
        self._level.pop()
        if not self._level and self._found < self._enough:
            self._level, self._deeper = self._deeper, []
