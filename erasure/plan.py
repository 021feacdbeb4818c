"""What a purge would do, in figures, and how to do it."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from erasure.holdings import Held


@dataclass(frozen=True)
class Plan:
    """What is to be purged.

    Args:
        what: In a few words.
        lake: URI of the lake; places are told relative to it.
        deleted: What is deleted.
        rewritten: URIs of objects from which only a row is taken.
        notes: What else is worth knowing.
        searched: Number of versions of objects that were searched, by folder.
        unsearched: What could not be searched, and why: where there is some, nobody can say *done*.
        confirmation: What has to be given to have it done.
        carry_out: Does it.
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
        """Return the plan for people, a line for each folder."""
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
        """Return the plan for programs: every object with its version, '' where there are none."""
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
        """Return the folder of a run, or whatever else an object is in."""
        if not uri.startswith(f"{self.lake}/"):
            return uri.rpartition("/")[0]
        parts = uri.removeprefix(f"{self.lake}/").split("/")
        return "/".join(parts[: 2 if parts[0] == "runs" else 1])


def _figures(held: list[Held]) -> str:
    old = sum(not one.is_current for one in held)
    size = sum(one.size for one in held)
    versions = f", {old} of them old versions" if old else ""
    return f"deleted: {len(held)}, {size / 1e6:.1f} MB{versions}"
