"""Erasing one image: every row that any run has of it, in every version that the lake still holds.

What is left are sums over many images, in which none can be told: bases, and the statistics of runs that
did not count it. Statistics of a run that did go, since their difference to others' would be the image's
features; a run that continues such a run measures them again from the features, to the same bits.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape

from erasure.holdings import Held, Holdings
from erasure.plan import Plan
from erasure.rows import UNREADABLE, without
from orchard.lake.layout import Lake, is_slug
from orchard.lake.ledger import read_ledger
from orchard.lake.objects import Storage
from orchard.lake.retention import MAY_WORK, is_idle
from orchard.lake.run_index import RunIndex
from orchard.settings.settings import Places
from orchard_jobs.errors import OrchardError


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
        (*found.own, *found.deleted),
        lambda: erasure.carry_out(found),
        found.rewritten,
        notes=(
            "Not searched: logs of EMR, Spark and Airflow, and what readers have copied.",
            "Counts in run.json stay what they were; bases are sums over many images.",
        ),
    )


@dataclass(frozen=True)
class Traces:
    """Where an image is: objects to take its row from, versions to delete, and its own old versions."""

    rewritten: tuple[str, ...]
    deleted: tuple[Held, ...]
    own: tuple[Held, ...]

    def __bool__(self) -> bool:
        return bool(self.rewritten or self.deleted or self.own)


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
        """Raise OrchardError if the next run would find the image again, or the newest one still shows it."""
        if any(not _is_gone(held) for held in self.images.of(self.image)):
            raise OrchardError(
                f"{self.image} is still there",
                rule="an image is erased once it is deleted, or the next run would compute it again",
                remedy="delete it, let a run be published, and erase it then",
            )
        index = RunIndex.load(self.storage, self.lake)
        newest = {run.images: run.run for run in index.runs}.get(self.places.images)
        if newest and self.path in read_ledger(self.storage, self.lake, newest)["path"].to_pylist():
            raise OrchardError(
                f"{self.path} is in the newest run of these images, {newest}",
                rule="what readers read is never rewritten; the next run leaves out what was deleted",
                remedy="let a run be published, for which there must be a new image, and "
                "ORCHARD_DELETED_IMAGES=remove; erase the image then",
            )

    def find(self) -> Traces:
        """Search all runs of these images, those that were not published, and old versions of others.

        Raises:
            OrchardError: if a run that may be at work has the image, or a file cannot be searched.
        """
        index = RunIndex.load(self.storage, self.lake)
        elsewhere = {run.run for run in index.runs if run.images != self.places.images}
        held = [
            one
            for folder in (self.lake.ledger, self.lake.runs)
            for one in self.holdings.below(folder)
            if self._run_of(one) not in elsewhere
        ]
        showing = [one for one in held if self._shows(one)]
        rewritten = [one for one in showing if one.is_current and not _is_page(one)]
        self._refuse_working({self._run_of(one) for one in rewritten}, index)
        traced = {self._run_of(one) for one in showing}
        counting = {self._run_of(one) for one in showing if self._is_in(one, "components")}
        pages = [one for one in held if _is_page(one) and self._run_of(one) in traced]
        sums = [one for one in held if self._is_in(one, "statistics") and self._run_of(one) in counting]
        deleted = dict.fromkeys([*pages, *sums, *(one for one in showing if one not in rewritten)])
        own = [one for one in self.images.of(self.image) if _is_gone(one)]
        return Traces(tuple(one.uri for one in rewritten), tuple(deleted), tuple(own))

    def carry_out(self, traces: Traces) -> None:
        """Rewrite what is current, then delete old versions, among them those that this has just made.

        Raises:
            OrchardError: if something changes meanwhile, or is left.
        """
        for uri in traces.rewritten:
            self._rewrite(uri)
        made = [one for uri in traces.rewritten for one in self.holdings.of(uri) if not one.is_current]
        self.holdings.erase([*traces.deleted, *(one for one in made if self._shows(one))])
        self.images.erase(traces.own)
        if left := self.find():
            raise OrchardError(
                f"something of the image is left: {left}",
                rule="nothing of it may be",
                remedy="see that no run is at work, and erase it again",
            )

    def _rewrite(self, uri: str) -> None:
        found = self.storage.read(uri)
        data = without(uri, found.data, self.path)
        if data is None:
            return
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

    def _shows(self, held: Held) -> bool:
        """Whether a version has the image, by name."""
        if held.is_marker or not (_is_page(held) or held.uri.endswith((".parquet", ".csv", ".json"))):
            return False
        data = self.holdings.read(held)
        if _is_page(held):
            return self.path.encode() in data or escape(self.path).encode() in data
        try:
            return without(held.uri, data, self.path) is not None
        except UNREADABLE as error:
            raise OrchardError(
                f"cannot search {held.uri}: {error}",
                rule="every file of a run is searched for the image",
                remedy=f"purge the whole run, if it is not needed: RUN={self._run_of(held)}",
            ) from error

    def _is_in(self, held: Held, folder: str) -> bool:
        return held.uri.startswith(f"{self.lake.run(self._run_of(held)).uri}/{folder}/")

    def _run_of(self, held: Held) -> str:
        """Return the run that an object in ``runs/`` or ``ledger/`` belongs to."""
        return held.uri.removeprefix(f"{self.lake.uri}/").split("/")[1].removesuffix(".parquet")

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


def _is_gone(held: Held) -> bool:
    """Whether it is an old version, or the mark of a deletion."""
    return held.is_marker or not held.is_current


def _is_page(held: Held) -> bool:
    """Whether it is a page for people; it shows images, and can be made again."""
    return held.uri.endswith(".html")
