"""Erases one image: its rows in every run, in every version that the lake still holds.

Everything from which the image could be reconstructed is deleted too. A basis contains the mean of its rows:
mean times count, minus the remaining rows, is the erased row. The basis itself can be recovered from the
components of other rows by solving a linear system. So if a run, or the run that fitted its basis, counted
the image, all its results are deleted: components, CSVs, basis, statistics and report. Features of other
images stay, because later runs need them.
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
"""Size limit of a searched object: it is read into memory, and nodes are not trusted."""

RESULTS = ("components", "csv", "basis", "statistics")
SUMS = ("basis", "statistics")


def plan_image(path: str, places: Places, storage: Storage, holdings: Holdings, images: Holdings) -> Plan:
    """Plan the erasure of the image ``path``, which is relative to the images folder.

    Args:
        holdings: Holdings of the lake.
        images: Holdings of the images folder.

    Raises:
        OrchardError: if the image still exists, is in the newest result, or is not in the lake.
    """
    erasure = Erasure(path, places, Lake(places.lake), storage, holdings, images)
    erasure.validate_absence()
    found = erasure.find()
    if not found:
        raise OrchardError(
            f"the lake has no data of the image {path!r}",
            rule="an image is named by its path in the CSV, relative to the images folder",
            remedy=f"check the path, and that {places.images} is the images folder",
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
        f"All results are deleted of the runs whose components or basis counted it: "
        f"{', '.join(found.counting)}. Their features of other images stay.",
    )
    return (
        *(results if found.counting else ()),
        "Not searched: logs of EMR, Spark and Airflow, and copies that readers have made.",
        "Counts in run.json are not changed.",
    )


@dataclass(frozen=True)
class Traces:
    """The objects that contain an image, and the objects searched for it.

    Args:
        rewritten: Objects from which only its row is removed.
        sums: Versions of bases and statistics that counted it. They are deleted first: after an
            interruption, the remaining rows still lead to them.
        deleted: Other versions to delete.
        own: Old versions of the image itself.
        counting: Runs whose results counted it.
        searched: Number of searched versions, by folder.
        unsearched: Objects that could not be searched, and why.
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
    """One image, and the lake from which to erase it."""

    path: str
    places: Places
    lake: Lake
    storage: Storage
    holdings: Holdings
    images: Holdings

    @property
    def image(self) -> str:
        return f"{self.places.images}/{self.path}"

    def validate_absence(self) -> None:
        """Raise OrchardError if the image still exists, or is in the newest run of its folder."""
        if any(not _is_gone(held) for held in self.images.of(self.image)):
            raise OrchardError(
                f"{self.image} still exists",
                rule="an image must be deleted before it is erased, or the next run recomputes it",
                remedy="delete it, publish a new run, and then erase it",
            )
        index = RunIndex.load(self.storage, self.lake)
        for slug, name in self._newest(index).items():
            if name in read_ledger(self.storage, self.lake, slug)["path"].to_pylist():
                raise OrchardError(
                    f"{name} is in the newest run of these images, {slug}",
                    rule="the newest run is never rewritten; the next run leaves out deleted images",
                    remedy="add a new image, publish a run with ORCHARD_DELETED_IMAGES=remove, and then "
                    "erase this image",
                )

    def find(self) -> Traces:
        """Search all versions of all runs that may contain the image, including unpublished runs.

        Raises:
            OrchardError: if a run that may still be working contains the image, or the newest run's basis
                counted it.
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
        known = {self.path, *names.values()}  # the images folder of an unpublished run is unknown
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
        self._validate_newest(counting & self._newest(index).keys())
        results = [one for one in held if self._run_of(one) in counting and self._is_result(one)]
        pages = [one for one in held if _is_page(one) and self._run_of(one) in traced]
        sums = [one for one in results if self._is_in(one, *SUMS)]
        sums += [one for basis_id in sorted(bases) for one in self.holdings.below(self.lake.basis(basis_id))]
        going = dict.fromkeys([*results, *pages])
        rewritten = [one for one in showing if one.is_current and one not in going]
        self._validate_idle({self._run_of(one) for one in [*rewritten, *going]}, index)
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
        """Delete sums, rewrite current objects, then delete old versions, including those of the rewrite.

        Raises:
            OrchardError: if an object changes in the meantime, or the image is not fully erased.
        """
        self.holdings.erase(traces.sums)
        for uri in traces.rewritten:
            self._rewrite(uri)
        made = [one for uri in traces.rewritten for one in self.holdings.of(uri) if not one.is_current]
        self.holdings.erase(dict.fromkeys([*traces.deleted, *made]))
        self.images.erase(traces.own)
        if left := self.find():
            raise OrchardError(
                f"some data of the image is left: {left}",
                rule="an erasure must be complete",
                remedy="make sure that no run is working, and erase it again",
            )

    def _names(self, index: RunIndex) -> dict[str, str]:
        """Return the image's path in the images folder of each published run that covers it, by run."""
        folders = {run.run: f"{run.images}/" for run in index.runs}
        return {
            slug: self.image.removeprefix(folder)
            for slug, folder in folders.items()
            if self.image.startswith(folder)
        }

    def _newest(self, index: RunIndex) -> dict[str, str]:
        """Return the same paths for the newest run of each images folder, by run."""
        names = self._names(index)
        newest = {run.images: run.run for run in index.runs if run.run in names}
        return {slug: names[slug] for slug in newest.values()}

    def _validate_newest(self, newest: Iterable[str]) -> None:
        for slug in sorted(newest):
            raise OrchardError(
                f"the basis of {slug}, the newest run of these images, counted {self.path}",
                rule="the newest run is never deleted; a refit leaves out deleted images",
                remedy="publish a run with the basis 'refit', and then erase the image",
            )

    def _rewrite(self, uri: str) -> None:
        found = self.storage.read(uri)
        data = found.data
        for name in {self.path, *self._names(RunIndex.load(self.storage, self.lake)).values()}:
            data = without(uri, data, name) or data
        folder, _, name = uri.rpartition("/")
        if not uri.startswith("s3://"):
            self.storage.delete(f"{folder}/.{name}.crc")  # Hadoop's checksum of the old bytes
        try:
            self.storage.replace(uri, data, found.version)
        except OrchardError:
            raise OrchardError(
                f"{uri} has changed since it was read",
                rule="an object that is being written must not be rewritten",
                remedy="make sure that no run is working, and erase the image again",
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

    def _validate_idle(self, slugs: set[str], index: RunIndex) -> None:
        since = datetime.now(UTC) - MAY_WORK
        for slug in filter(is_slug, sorted(slugs)):
            if slug in index:
                continue
            is_over = "run.json" in self.storage.names(self.lake.run(slug).uri)
            if not is_over and not is_idle(self.storage, self.lake.run(slug).uri, since):
                raise OrchardError(
                    f"the unpublished run {slug} has the image and may still be working",
                    rule="a run that may be working must not be changed",
                    remedy="wait until it is published, or has written nothing for two days",
                )


@dataclass(frozen=True)
class _Search:
    """Searches objects for an image, and records those that it cannot read."""

    holdings: Holdings
    failures: list[str] = field(default_factory=list)

    def shows(self, held: Held, names: Iterable[str]) -> bool:
        """Whether a version contains the image under any of its paths."""
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

    A run may reuse a basis that was fitted without the image. If the run that fitted it is no longer known,
    the basis counts as tainted.
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
    """Whether it is an old version or a delete marker."""
    return held.is_marker or not held.is_current


def _is_page(held: Held) -> bool:
    """Whether it is a report page, which shows images and can be rebuilt."""
    return held.uri.endswith(".html")
