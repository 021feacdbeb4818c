"""An image that is erased is in no file, in no version, and nothing else is missing."""

from dataclasses import replace
from typing import Any

import pytest
from moto import mock_aws

from erasure.holdings import S3Holdings
from orchard.lake.layout import Lake
from orchard.lake.parquet import from_parquet
from orchard.lake.storage_s3 import S3Storage
from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import Place, lines

OF_OWN_ROWS = ("manifest.parquet", "outcomes.parquet", "features/part-0.parquet")
RESULTS = (
    "basis/basis.json",
    "components/part-0.parquet",
    "csv/features.csv",
    "report.html",
    "statistics/statistics.npz",
)


def test_an_image_goes_from_every_file_in_every_version_and_nothing_else_does(nights: Place) -> None:
    before = nights.contents()
    nights.storage.delete(nights.lake.ledger_entry("r1"))  # as compact does; the bucket remembers
    nights.purge(IMAGE="e")
    after = nights.contents()
    results = {f"runs/{run}/{name}" for run in ("r1", "r2") for name in RESULTS}
    bases = {f"basis/b-{run}/basis.npz" for run in ("r1", "r2")}
    assert set(before) - set(after) == {"ledger/r1.parquet"} | results | bases
    assert {name for name in after if after[name] != before[name]} == {
        *(f"runs/r1/{name}" for name in (*OF_OWN_ROWS, "reports/featurize.json")),
        *(f"runs/r2/{name}" for name in ("earlier.parquet", "reports/featurize.json")),
        "ledger/r2.parquet",
    }
    assert not [data for data in nights.versions() if shows(data, "e")]
    assert [data for data in nights.versions() if shows(data, "a")]
    with pytest.raises(OrchardError, match=r"^the lake has no data of the image 'e'"):
        nights.plan(IMAGE="e")


def test_the_page_of_a_run_that_only_rejected_the_image_goes_and_its_statistics_stay(nights: Place) -> None:
    before = nights.contents()
    nights.storage.write(f"{nights.lake.run('r1').csv}/rejects.csv", lines([["it's", "corrupt"]]))
    nights.purge(IMAGE="it's")
    assert set(before) - set(nights.contents()) == {"runs/r1/report.html"}


def test_an_image_that_is_still_there_is_refused(nights: Place) -> None:
    with pytest.raises(
        OrchardError, match=r"images/a still exists: an image must be deleted before it is erased"
    ):
        nights.plan(IMAGE="a")


def test_an_image_of_the_newest_result_is_refused(nights: Place) -> None:
    with pytest.raises(
        OrchardError, match=r"^b is in the newest run of these images, r3: .* Add a new image, pub"
    ):
        nights.plan(IMAGE="b")


def test_an_image_of_the_same_name_in_another_folder_stays(nights: Place) -> None:
    other = replace(nights, images=f"{nights.images}-2")
    other.write_run("other", {"e": "other"})
    before = nights.contents()
    nights.purge(IMAGE="e")
    after = nights.contents()
    for name in before:
        assert "other" not in name or after[name] == before[name]


def test_a_run_that_may_be_at_work_is_not_touched(nights: Place) -> None:
    nights.write_run("working", {"e": "working"}, publish=False)
    with pytest.raises(OrchardError, match="the unpublished run working has the image and may still be"):
        nights.plan(IMAGE="e")


def test_old_versions_of_the_image_itself_go_too(client: Any) -> None:
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        client.put_bucket_versioning(Bucket="orchard", VersioningConfiguration={"Status": "Enabled"})
        place = Place(Lake("s3://orchard"), "s3://orchard/images", S3Storage(client), S3Holdings(client))
        place.write_run("r1", {"a": "r1", "e": "r1"})
        place.write_run("r2", {"a": "r1"})
        for name in ("e", "e2"):
            place.storage.write(f"{place.images}/{name}", b"an image")
            place.storage.delete(f"{place.images}/{name}")
        place.purge(IMAGE="e")
        found = client.list_object_versions(Bucket="orchard", Prefix="images/")
    kept = {item["Key"] for kind in ("Versions", "DeleteMarkers") for item in found[kind]}
    assert kept == {"images/e2"}


def shows(data: bytes, path: str) -> bool:
    """Whether a file has a row of ``path``; told without the code that takes it out."""
    if data.startswith(b"PAR1"):
        table = from_parquet(data)
        return "path" in table.column_names and path in table["path"].to_pylist()
    return f'"{path}"'.encode() in data or f"\n{path},".encode() in data
