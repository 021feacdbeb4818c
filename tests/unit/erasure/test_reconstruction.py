"""What is left after an erasure does not give the image back: whoever has all of the lake tries.

The attacks find it before the erasure, so that they could find it afterwards.
"""

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from orchard.lake.objects import to_json
from orchard.lake.parquet import from_parquet
from orchard.lake.run_index import PublishedRun, RunIndex
from orchard.settings.feature_spec import FeatureSpec
from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import Place, parquet

FEATURES, K = 6, 2
Vector = npt.NDArray[np.float64]
Rows = Mapping[str, Vector]

ERASED = "erased"
_random = np.random.default_rng(5)
IMAGES: Rows = {name: _random.random(FEATURES) for name in ("a", "b", "c", "d", "f", "g", "h", "i", ERASED)}
OTHERS: Rows = {name: row for name, row in IMAGES.items() if name != ERASED}
FIRST: Rows = {name: row for name, row in IMAGES.items() if name != "i"}


class Fit:
    """A PCA of some rows, as its run stores it."""

    def __init__(self, rows: Rows) -> None:
        matrix = np.array(list(rows.values()))
        self.rows, self.mean = len(rows), matrix.mean(axis=0)
        self.components = np.linalg.svd(matrix - self.mean)[2][:K]

    def project(self, row: Vector) -> Vector:
        return np.asarray(self.components @ (row - self.mean))

    def files(self, basis_id: str) -> dict[str, bytes]:
        buffer = io.BytesIO()
        np.savez(buffer, mean=self.mean, components=self.components)
        return {
            "basis.npz": buffer.getvalue(),
            "basis.json": to_json({"basis_id": basis_id, "fitted_rows": self.rows}),
        }


def write_run(place: Place, slug: str, rows: Rows, makers: Mapping[str, str], fit: Fit | None = None) -> Fit:
    """Write and publish a run on ``rows``, of features by ``makers``; it refits unless ``fit`` is given."""
    basis_id, basis = (f"b-{slug}", "refit") if fit is None else ("b-r1", "reuse")
    place.write_run(slug, {name: makers.get(name, slug) for name in rows}, publish=False)
    folder, fit = place.lake.run(slug), fit or Fit(rows)
    own = {name: row for name, row in rows.items() if makers.get(name, slug) == slug}
    features = [{"path": name, "status": "ok", "features": row.tolist()} for name, row in own.items()]
    components = [{"path": name, "components": fit.project(row).tolist()} for name, row in rows.items()]
    buffer = io.BytesIO()
    np.savez(buffer, count=len(rows), total=np.sum(list(rows.values()), axis=0))
    files = {
        f"{folder.features}/part-0.parquet": parquet(features),
        f"{folder.components}/part-0.parquet": parquet(components),
        folder.statistics: buffer.getvalue(),
        **{f"{folder.basis}/{name}": data for name, data in fit.files(basis_id).items()},
        **{f"{place.lake.basis(basis_id)}/{name}": data for name, data in fit.files(basis_id).items()},
        folder.run_json: to_json(
            {"basis_id": basis_id, "basis": basis, "published_at": "2026-01-01T00:00:00"}
        ),
    }
    for uri, data in files.items():
        place.storage.write(uri, data)
    index = RunIndex.load(place.storage, place.lake)
    runs = index.with_run(PublishedRun(slug, place.images, FeatureSpec("m")))
    ledger = [{"path": name, "etag": "e", "status": "ok", "run": makers.get(name, slug)} for name in rows]
    place.storage.write(place.lake.ledger_entry(slug), parquet(ledger))
    place.storage.replace(place.lake.latest, to_json({"run": slug, "runs": runs}), index.version)
    return fit


def attack(place: Place) -> float:
    """Return how close whoever has every version of everything gets to the erased image; 0 is there."""
    tables = [from_parquet(data) for data in place.versions() if data.startswith(b"PAR1")]
    arrays = [dict(np.load(io.BytesIO(data))) for data in place.versions() if data.startswith(b"PK")]
    rows: dict[str, Vector] = {}
    for table in tables:
        if "features" in table.column_names:
            found = {row["path"]: np.array(row["features"]) for row in table.to_pylist()}
            rows |= {name: row for name, row in found.items() if len(row) == FEATURES}
    guesses = [*_from_sums(arrays, rows), *_from_components(tables)]
    return min((_distance(guess) for guess in guesses), default=np.inf)


def _from_sums(arrays: list[dict[str, Any]], rows: Rows) -> Iterator[Vector]:
    """A sum of all rows, less the rows of it that are left; the difference of two sums."""
    known = np.sum(list(rows.values()), axis=0)
    sums = [found["total"] for found in arrays if "total" in found]
    sums += [count * found["mean"] for found in arrays if "mean" in found for count in range(2, 12)]
    subsets = [known, *(known - row for row in rows.values())]
    yield from rows.values()
    yield from (total - less for total in sums for less in subsets)
    yield from (one - other for one in sums for other in sums)


def _from_components(tables: list[pa.Table]) -> Iterator[Vector]:
    """The components of all rows that a basis was fitted on add up to nothing."""
    for table in tables:
        if "components" in table.column_names and table.num_rows:
            yield -np.sum(table["components"].to_pylist(), axis=0)


def _distance(guess: Vector) -> float:
    truth = IMAGES[ERASED] if len(guess) == FEATURES else Fit(FIRST).project(IMAGES[ERASED])
    return float(np.linalg.norm(guess - truth) / np.linalg.norm(truth))


def made_by(run: str, rows: Rows) -> dict[str, str]:
    return dict.fromkeys(rows, run)


def test_an_image_that_was_erased_cannot_be_computed_back(place: Place) -> None:
    write_run(place, "r1", FIRST, {})
    write_run(place, "r2", OTHERS, made_by("r1", FIRST))
    assert attack(place) < 1e-9
    place.purge(IMAGE=ERASED)
    assert attack(place) > 0.05
    left = {one.name for one in place.storage.objects(place.lake.uri)}
    assert not [
        name for name in left if name.startswith(("basis/b-r1/", "runs/r1/components/", "runs/r1/csv/"))
    ]
    assert {
        "runs/r1/features/part-0.parquet",
        "basis/b-r2/basis.npz",
        "runs/r2/statistics/statistics.npz",
    } <= left


def test_a_newest_run_whose_basis_counted_the_image_is_refused_until_there_is_a_refit(place: Place) -> None:
    fit = write_run(place, "r1", FIRST, {})
    write_run(place, "r2", OTHERS, made_by("r1", FIRST), fit)
    with pytest.raises(
        OrchardError, match=r"the basis of r2, .* counted erased: .* Publish a run with the basis 'refit'"
    ):
        place.plan(IMAGE=ERASED)
    write_run(place, "r3", OTHERS, made_by("r1", FIRST) | {"i": "r2"})
    place.purge(IMAGE=ERASED)
    assert attack(place) > 0.05
    assert "basis/b-r3/basis.npz" in {one.name for one in place.storage.objects(place.lake.uri)}


def test_a_basis_that_was_fitted_before_there_was_the_image_stays(place: Place) -> None:
    fit = write_run(place, "r1", OTHERS, {})
    write_run(place, "r2", IMAGES, made_by("r1", OTHERS), fit)
    write_run(place, "r3", OTHERS, made_by("r1", OTHERS), fit)
    place.purge(IMAGE=ERASED)
    names = {one.name for one in place.storage.objects(place.lake.uri)}
    assert {"basis/b-r1/basis.npz", "runs/r1/components/part-0.parquet"} <= names
    assert "runs/r2/components/part-0.parquet" not in names


def test_runs_on_a_folder_above_the_images_are_searched_too(place: Place) -> None:
    above, _, below = place.images.rpartition("/")
    name = f"{below}/{ERASED}"
    outer = Place(place.lake, above, place.storage, place.holdings)
    write_run(place, "r1", OTHERS, {})
    outer.write_run("outer-1", {name: "outer-1", "other": "outer-1"})
    with pytest.raises(OrchardError, match=f"{name} is in the newest run of these images, outer-1"):
        place.plan(IMAGE=ERASED)
    outer.write_run("outer-2", {"other": "outer-1"})
    place.purge(IMAGE=ERASED)
    features = from_parquet(place.contents()["runs/outer-1/features/part-0.parquet"])
    assert features["path"].to_pylist() == ["other"]
    assert "runs/outer-1/csv/features.csv" not in place.contents()


def test_what_cannot_be_searched_is_listed_and_the_rest_is_erased(place: Place) -> None:
    write_run(place, "r1", FIRST, {})
    write_run(place, "r2", OTHERS, made_by("r1", FIRST))
    place.storage.write(f"{place.lake.run('r1').features}/part-1.parquet", b"half")
    plan = place.purge(IMAGE=ERASED)
    assert [one for one in plan.unsearched if "runs/r1/features/part-1.parquet" in one]
    assert "NOT SEARCHED" in plan.describe()
    assert json.loads(json.dumps(plan.to_json()))["unsearched"] == list(plan.unsearched)
    assert attack(place) > 0.05
