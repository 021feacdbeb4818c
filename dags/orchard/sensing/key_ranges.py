"""The keys below a prefix, cut into ranges that are listed side by side. Nothing here speaks to S3.

All begins as one range. Meanwhile ``FolderSearch`` finds folders, and whoever is idle takes half of the
range with most of them: ranges are few and long, so nearly every page is full, however small the folders
are. Where to cut is a guess that cannot go wrong: whatever the cuts, each key is in exactly one range.

S3 orders keys by their UTF-8 bytes, and so does Python its strings.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Any

Page = dict[str, Any]
"""An answer of ListObjectsV2."""


@dataclass
class Range:
    """The keys greater than ``after`` and not than ``end``; ``after`` moves with every page."""

    after: str = ""
    end: str | None = None
    page_start: str | None = None
    """Where the last page began; None before the first one since it was cut."""
    token: str | None = None
    is_done: bool = False

    @property
    def request(self) -> dict[str, str]:
        """Arguments of ListObjectsV2 for the next page."""
        if self.token:
            return {"ContinuationToken": self.token}
        return {"StartAfter": self.after} if self.after else {}

    def take(self, page: Page) -> list[dict[str, Any]]:
        """Return the objects of the page that are in this range, and move on."""
        objects = page.get("Contents", [])
        self.page_start = self.after
        self.after = objects[-1]["Key"] if objects else self.after
        self.token = page.get("NextContinuationToken")
        self.is_done = not self.token or (self.end is not None and self.after >= self.end)
        return [item for item in objects if self.end is None or item["Key"] <= self.end]


class KeyRanges:
    """The ranges that are being listed, and the folders at which they can be cut."""

    def __init__(self) -> None:
        self._ranges = [Range()]
        self._folders: list[str] = []

    @property
    def open(self) -> list[Range]:
        """The ranges that are not listed to their end."""
        self._ranges = [part for part in self._ranges if not part.is_done]
        return self._ranges

    def add_folders(self, folders: list[str]) -> None:
        self._folders += folders
        self._folders.sort()  # two sorted runs: linear

    def cut(self) -> Range | None:
        """Return the second half of the range with most folders ahead; None if none is worth a cut."""
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
        """Which folders are still to come in a range; none if they are no more than two pages' worth."""
        if part.page_start is None:
            return range(0)
        start, now = (bisect_right(self._folders, key) for key in (part.page_start, part.after))
        stop = len(self._folders) if part.end is None else bisect_left(self._folders, part.end)
        return range(now, stop) if stop - now > 2 * (now - start) else range(0)


class FolderSearch:
    """Tells ``ranges`` of the folders in ``prefix`` and, while there are not ``enough``, of those in them."""

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
        """Keep the page's folders. It returns no object: those are in the ranges."""
        folders = [item["Prefix"] for item in page.get("CommonPrefixes", ())]
        self._ranges.add_folders(folders)
        self._found += len(folders)
        self._deeper += folders
        # After a page without a folder there may be a million files.
        self._token = page.get("NextContinuationToken") if folders else None
        if not self._token:
            self._leave_folder()
        return []

    def _leave_folder(self) -> None:
        self._level.pop()
        if not self._level and self._found < self._enough:
            self._level, self._deeper = self._deeper, []
