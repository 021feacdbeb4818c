"""Erasing one image: every row that any run has of it, in every version that the lake still holds.

And everything that it could be computed back from. A basis has the mean of all its rows, so mean times
count, less the rows that are left, is the row that is not. Components of other rows give their basis away,
as the solution of a linear system. So of a run that counted the image, or whose basis did, all results go:
components, CSVs, basis, statistics and page. Features of other images stay; later runs need them.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape
from typing import Any

from erasure.holdings import Held, Holdings
from erasure.plan import Plan
from erasure.rows import UNREADABLE, without
from orchard.lake.layout import Lake, is_slug
from orchard.lake.ledger import read_ledger
from orchard.lake.objects import Storage, refuse_large
from orchard.lake.retention import MAY_WORK, is_idle
from orchard.lake.run_index import RunIndex
from orchard.settings.settings import Places
from orchard_jobs.contract import BasisMode
from orchard_jobs.errors import OrchardError

MOST_BYTES = 2**31
"""Of one object that is searched: it is read whole, and a node may have written what it liked."""

RESULTS = ("components", "csv", "basis", "statistics")
SUMS = ("basis", "statistics")


def plan_image(path: str, places: Places, storage: Storage, holdings: Holdings, images: Holdings) -> Plan:
    """Return how to erase the image ``path``, which is relative to the folder of the images.

    Args:
        holdings: Of the lake.
        images: Of the folder of the images.

    Raises:
        OrchardError: if the image is still there, or in the newest result; or the lake knows nothing of it.
    """
    erasure = Erasure(path, places, Lake(places.lake), storage, holdings, images)
    erasure.refuse_present()
    found = erasure.find()
    if not found:
        raise OrchardError(
            f"the lake holds nothing of the image {path!r}",
            rule="it is named as in the CSV, relative to the folder of the images",
            remedy=f"check the name, and that the images are those of {places.images}",
        )
    return Plan(
        f"The image {path} of {places.images}, in {places.lake}",
        places.lake,
        (*found.own, *found.sums, *found.deleted),
        lambda: erasure.carry_out(found),
        found.rewritten,
        notes=_notes(found),
        searched=found.searched,
        unsearched=found.unsearched,
    )


def _notes(found: "Traces") -> tuple[str, ...]:
    results = (
        f"Results go of the runs whose components or basis counted it: {', '.join(found.counting)}. "
        "Their features of other images stay.",
    )
    return (
        *(results if found.counting else ()),
        "Not searched: logs of EMR, Spark and Airflow, and what readers have copied.",
        "Counts in run.json stay what they were.",
    )


@dataclass(frozen=True)
class Traces:
    """Where an image is, and what was searched for it.

    Args:
        rewritten: Objects from which only its row is taken.
        sums: Versions of bases and statistics that counted it: they go first, so that what is interrupted
            is found again by the rows.
        deleted: Other versions to delete.
        own: Its own old versions.
        counting: Runs whose results counted it.
        searched: Number of versions that were searched, by folder.
        unsearched: What could not be, and why.
    """

    rewritten: tuple[str, ...]
    sums: tuple[Held, ...]
    deleted: tuple[Held, ...]
    own: tuple[Held, ...]
    counting: tuple[str, ...]
    searched: Mapping[str, int]
    unsearched: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.rewritten or self.sums or self.deleted or self.own)


@dataclass(frozen=True)
class Erasure:
    """One image, and the lake that it is to be erased from."""

    path: str
    places: Places
    lake: Lake
    storage: Storage
    holdings: Holdings
    images: Holdings

    @property
    def image(self) -> str:
        return f"{self.places.images}/{self.path}"

    def refuse_present(self) -> None:
        """Raise OrchardError if the next run would find the image again, or a newest one still shows it."""
        if any(not _is_gone(held) for held in self.images.of(self.image)):
            raise OrchardError(
                f"{self.image} is still there",
                rule="an image is erased once it is deleted, or the next run would compute it again",
                remedy="delete it, let a run be published, and erase it then",
            )
        index = RunIndex.load(self.storage, self.lake)
        for slug, name in self._newest(index).items():
            if name in read_ledger(self.storage, self.lake, slug)["path"].to_pylist():
                raise OrchardError(
                    f"{name} is in the newest run of these images, {slug}",
                    rule="what readers read is never rewritten; the next run leaves out what was deleted",
                    remedy="let a run be published, for which there must be a new image, and "
                    "ORCHARD_DELETED_IMAGES=remove; erase the image then",
                )

    def find(self) -> Traces:
        """Search all runs in which the image may be, those that were not published, and old versions.

        Raises:
            OrchardError: if a run that may be at work has the image, or the newest one's basis counted it.
        """
        index = RunIndex.load(self.storage, self.lake)
        names = self._names(index)
        elsewhere = {run.run for run in index.runs} - names.keys()
        held = [
            one
            for folder in (self.lake.ledger, self.lake.runs)
            for one in self.holdings.below(folder)
            if self._run_of(one) not in elsewhere
        ]
        known = {self.path, *names.values()}  # of a run that was not published nobody knows its folder
        search = _Search(self.holdings)
        showing = [
            one
            for one in held
            if search.shows(one, {names[run]} if (run := self._run_of(one)) in names else known)
        ]
        traced = {self._run_of(one) for one in showing}
        counting = {self._run_of(one) for one in showing if self._is_in(one, "components", "csv/features")}
        records = index.records([*names, *counting])
        bases = _find_tainted(counting, records)
        counting |= {slug for slug, record in records.items() if record.get("basis_id") in bases}
        self._refuse_counting_newest(counting & self._newest(index).keys())
        results = [one for one in held if self._run_of(one) in counting and self._is_result(one)]
        pages = [one for one in held if _is_page(one) and self._run_of(one) in traced]
        sums = [one for one in results if self._is_in(one, *SUMS)]
        sums += [one for basis_id in sorted(bases) for one in self.holdings.below(self.lake.basis(basis_id))]
        going = dict.fromkeys([*results, *pages])
        rewritten = [one for one in showing if one.is_current and one not in going]
        self._refuse_working({self._run_of(one) for one in [*rewritten, *going]}, index)
        deleted = dict.fromkeys([*going, *(one for one in showing if one not in rewritten)])
        return Traces(
            tuple(one.uri for one in rewritten),
            tuple(sums),
            tuple(one for one in deleted if one not in sums),
            tuple(one for one in self.images.of(self.image) if _is_gone(one)),
            tuple(sorted(counting)),
            Counter(self._folder_of(one) for one in held if not one.is_marker),
            tuple(search.failures),
        )

    def carry_out(self, traces: Traces) -> None:
        """Delete sums, rewrite what is current, then delete old versions, those that this made among them.

        Raises:
            OrchardError: if something changes meanwhile, or is left.
        """
        self.holdings.erase(traces.sums)
        for uri in traces.rewritten:
            self._rewrite(uri)
        made = [one for uri in traces.rewritten for one in self.holdings.of(uri) if not one.is_current]
        self.holdings.erase(dict.fromkeys([*traces.deleted, *made]))
        self.images.erase(traces.own)
        if left := self.find():
            raise OrchardError(
                f"something of the image is left: {left}",
                rule="nothing of it may be",
                remedy="see that no run is at work, and erase it again",
            )

    def _names(self, index: RunIndex) -> dict[str, str]:
        """Return the image's path in the folder of each published run that it is in, by run."""
        folders = {run.run: f"{run.images}/" for run in index.runs}
        return {
            slug: self.image.removeprefix(folder)
            for slug, folder in folders.items()
            if self.image.startswith(folder)
        }

    def _newest(self, index: RunIndex) -> dict[str, str]:
        """Return, of the newest run of each such folder, the image's path in it."""
        names = self._names(index)
        newest = {run.images: run.run for run in index.runs if run.run in names}
        return {slug: names[slug] for slug in newest.values()}

    def _refuse_counting_newest(self, newest: Iterable[str]) -> None:
        for slug in sorted(newest):
            raise OrchardError(
                f"the basis of {slug}, the newest run of these images, counted {self.path}",
                rule="what readers read is never deleted; a refit leaves out what was deleted",
                remedy="let a run be published with the basis 'refit'; erase the image then",
            )

    def _rewrite(self, uri: str) -> None:
        found = self.storage.read(uri)
        data = found.data
        for name in {self.path, *self._names(RunIndex.load(self.storage, self.lake)).values()}:
            data = without(uri, data, name) or data
        folder, _, name = uri.rpartition("/")
        if not uri.startswith("s3://"):
            self.storage.delete(f"{folder}/.{name}.crc")  # Hadoop's checksum of the bytes that go
        try:
            self.storage.replace(uri, data, found.version)
        except OrchardError:
            raise OrchardError(
                f"{uri} has changed since it was read",
                rule="no row is taken out of what somebody else is writing",
                remedy="see that no run is at work, and erase the image again",
            ) from None

    def _is_in(self, held: Held, *folders: str) -> bool:
        run = self.lake.run(self._run_of(held)).uri
        return any(held.uri.startswith(f"{run}/{folder}") for folder in folders)

    def _is_result(self, held: Held) -> bool:
        return _is_page(held) or self._is_in(held, *RESULTS)

    def _folder_of(self, held: Held) -> str:
        parts = held.uri.removeprefix(f"{self.lake.uri}/").split("/")
        return "/".join(parts[: 2 if parts[0] == "runs" else 1])

    def _run_of(self, held: Held) -> str:
        """Return the run that an object in ``runs/`` or ``ledger/`` belongs to."""
        return (
            held.uri.removeprefix(f"{self.lake.uri}/")
            .split("/")[1]
            .removesuffix(".parquet")
            .removesuffix(".report")
        )

    def _refuse_working(self, slugs: set[str], index: RunIndex) -> None:
        since = datetime.now(UTC) - MAY_WORK
        for slug in filter(is_slug, sorted(slugs)):
            if slug in index:
                continue
            is_over = "run.json" in self.storage.names(self.lake.run(slug).uri)
            if not is_over and not is_idle(self.storage, self.lake.run(slug).uri, since):
                raise OrchardError(
                    f"the run {slug}, which is not published, has the image and may be at work",
                    rule="a run that may be at work is not touched",
                    remedy="wait until it is published, or until it has written nothing for two days",
                )


@dataclass(frozen=True)
class _Search:
    """Looks for an image by its names, and keeps what it could not look into."""

    holdings: Holdings
    failures: list[str] = field(default_factory=list)

    def shows(self, held: Held, names: Iterable[str]) -> bool:
        """Whether a version has the image, by any of its names."""
        if held.is_marker or not (_is_page(held) or held.uri.endswith((".parquet", ".csv", ".json"))):
            return False
        try:
            return self._has_any(held, names)
        except (*UNREADABLE, OrchardError) as error:
            version = f" ({held.version})" if held.version else ""
            self.failures.append(f"{held.uri}{version}: {error}")
            return False

    def _has_any(self, held: Held, names: Iterable[str]) -> bool:
        refuse_large(held.uri, held.size, MOST_BYTES)
        data = self.holdings.read(held)
        if _is_page(held):
            return any(name.encode() in data or escape(name).encode() in data for name in names)
        return any(without(held.uri, data, name) is not None for name in names)


def _find_tainted(counting: Iterable[str], records: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the ids of the bases that were fitted on the image.

    A run that reuses a basis may have got it from one that did not count the image; where that one is no
    longer known, nobody can tell, so its basis goes, too.
    """
    fitted = {
        slug: str(record.get("basis_id"))
        for slug, record in records.items()
        if record.get("basis") != BasisMode.REUSE.value
    }
    clean = {basis_id for slug, basis_id in fitted.items() if slug not in set(counting)}
    found = {str(records[slug].get("basis_id")) for slug in counting if slug in records}
    return {basis_id for basis_id in found if is_slug(basis_id)} - clean


def _is_gone(held: Held) -> bool:
    """Whether it is an old version, or the mark of a deletion."""
    return held.is_marker or not held.is_current


def _is_page(held: Held) -> bool:
    """Whether it is a page for people; it shows images, and can be made again."""
    return held.uri.endswith(".html")
