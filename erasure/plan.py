"""The plan of a purge: what it deletes, and how to carry it out."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from erasure.holdings import Held


@dataclass(frozen=True)
class Plan:
    """The plan of a purge.

    Args:
        what: Title, in a few words.
        lake: URI of the lake; folders are printed relative to it.
        deleted: Versions to delete.
        rewritten: URIs of objects from which only a row is removed.
        notes: Remarks for the user.
        searched: Number of searched object versions, by folder.
        unsearched: Objects that could not be searched, and why; with any, the purge is incomplete.
        confirmation: The value that the user must give to confirm.
        carry_out: Carries out the plan.
    """

    what: str
    lake: str
    deleted: tuple[Held, ...]
    carry_out: Callable[[], None]
    rewritten: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    searched: Mapping[str, int] = field(default_factory=dict)
    unsearched: tuple[str, ...] = ()
    confirmation: str = "1"

    def describe(self) -> str:
        """Format the plan for the terminal, one line per folder."""
        places = defaultdict[str, list[Held]](list)
        for held in self.deleted:
            places[self._place(held.uri)].append(held)
        rows = [f"  {place:<40} {_figures(held)}" for place, held in sorted(places.items())]
        rewritten = defaultdict[str, int](int)
        for uri in self.rewritten:
            rewritten[self._place(uri)] += 1
        rows += [f"  {place:<40} rewritten: {count}" for place, count in sorted(rewritten.items())]
        searched = [f"  {place:<40} searched: {count}" for place, count in sorted(self.searched.items())]
        unsearched = [f"  NOT SEARCHED {one}" for one in self.unsearched]
        return "\n".join([f"{self.what}:", *(rows or ["  nothing"]), *searched, *unsearched, *self.notes])

    def to_json(self) -> dict[str, Any]:
        """Return the plan for JSON output: every object with its version, which is '' for files."""
        deleted = [
            {"uri": held.uri, "version": held.version, "size": held.size, "is_current": held.is_current}
            for held in self.deleted
        ]
        return {
            "what": self.what,
            "lake": self.lake,
            "deleted": deleted,
            "rewritten": list(self.rewritten),
            "searched": dict(self.searched),
            "unsearched": list(self.unsearched),
            "notes": list(self.notes),
            "confirmation": self.confirmation,
        }

    def _place(self, uri: str) -> str:
        """Return the run folder, or other top-level folder, that contains an object."""
        if not uri.startswith(f"{self.lake}/"):
            return uri.rpartition("/")[0]
        parts = uri.removeprefix(f"{self.lake}/").split("/")
        return "/".join(parts[: 2 if parts[0] == "runs" else 1])


def _figures(held: list[Held]) -> str:
    old = sum(not one.is_current for one in held)
    size = sum(one.size for one in held)
    versions = f", including {old} old versions" if old else ""
    return f"deleted: {len(held)}, {size / 1e6:.1f} MB{versions}"
