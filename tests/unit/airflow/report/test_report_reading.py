"""What a report says of a lake is what is in the lake, whatever has been compacted or was made before."""

from pathlib import Path

import boto3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from orchard.lake import parquet
from orchard.lake.layout import Lake
from orchard.lake.objects import local_path
from orchard.lake.storage_files import FileStorage
from orchard.lake.storage_s3 import S3Storage
from orchard.report.loading import load, survey
from orchard.report.loading.load import read_facts
from orchard.report.write import write_missing_reports, write_report
from orchard_jobs.errors import OrchardError
from tests.support.airflow.report_lake import ReportLake, basis_of, clusters, thumbnail_of

FIRST = clusters({"apple": 130, "pear": 60, "fig": 3})


@pytest.fixture
def lake(tmp_path: Path) -> ReportLake:
    return ReportLake(Lake(f"file://{tmp_path}/a lake"))


@pytest.fixture
def second(lake: ReportLake) -> ReportLake:
    """Two runs: in the second seven images are new, two have changed, one has gone and two are rejected."""
    lake.publish("first", FIRST)
    changed = {path: FIRST[path] + 1 for path in ("apple/0.jpg", "pear/1.jpg")}
    lake.publish(
        "second",
        clusters({"quince": 7}, seed=2) | changed,
        rejected={
            "fig/bad.jpg": ("corrupt", "JPEG: truncated"),
            "a/none.jpg": ("empty", "the file has no bytes"),
        },
        deleted=("fig/2.jpg",),
        turn=20,
    )
    return lake


def test_labels_are_counted_and_every_image_is_there_once(lake: ReportLake) -> None:
    lake.publish("first", FIRST)
    facts = read_facts(lake.storage, lake.lake, "first")
    assert facts.label_counts == {"apple": 130, "fig": 3, "pear": 60}
    assert sorted(picture.path for picture in facts.sample.pictures) == sorted(FIRST)
    for picture, row, label in zip(
        facts.sample.pictures, facts.sample.components, facts.sample.labels, strict=True
    ):
        np.testing.assert_array_equal(row, FIRST[picture.path])
        assert facts.sample.names[label] == picture.label == picture.path.split("/")[0]
        assert picture.thumbnail == thumbnail_of(picture.path)


def test_of_many_labels_each_image_at_an_end_of_a_component_is_of_another(lake: ReportLake) -> None:
    images = clusters({f"label {place}": 20 for place in range(13)})
    lake.publish("first", images)
    facts = read_facts(lake.storage, lake.lake, "first")
    assert len(facts.extremes) == 4
    for component, ends in enumerate(facts.extremes):
        for pictures, sign in ((ends.low, 1), (ends.high, -1)):
            outermost: dict[str, str] = {}
            for path in sorted(images, key=lambda path: sign * images[path][component]):
                outermost.setdefault(path.split("/")[0], path)
            assert [picture.path for picture in pictures] == list(outermost.values())[:6]
    assert "most extreme first, one per label." in page_of(lake, "first")


def test_of_few_labels_the_ends_are_the_outermost_images_and_not_every_label_twice(lake: ReportLake) -> None:
    images = clusters({f"label {place}": 20 for place in range(12)})
    lake.publish("first", images)
    for component, ends in enumerate(read_facts(lake.storage, lake.lake, "first").extremes):
        rising = sorted(images, key=lambda path: images[path][component])
        assert [picture.path for picture in ends.low] == rising[:6]
        assert [picture.path for picture in ends.high] == rising[-6:][::-1]
        assert all(picture.thumbnail for picture in (*ends.low, *ends.high))
    assert "most extreme first. From all 240 images" in page_of(lake, "first")


def test_ends_are_those_of_the_sample_in_batches_of_any_size(
    lake: ReportLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image that the map does not show has no thumbnail to show, either."""
    lake.publish("first", FIRST)
    whole = read_facts(lake.storage, lake.lake, "first").extremes
    monkeypatch.setattr(parquet, "ROWS_AT_ONCE", 7)
    assert read_facts(lake.storage, lake.lake, "first").extremes == whole
    few = survey.survey(lake.storage, lake.lake.run("first").components, k=4, ends=6, limit=30)
    lowest = sorted(few.sample.paths, key=lambda path: FIRST[path][0])
    assert few.lows[0][0][0] == lowest[0]
    assert {path for ends in (*few.lows, *few.highs) for path, _ in ends} <= set(few.sample.paths)


def test_of_many_images_a_sample_is_looked_at_in_which_small_labels_are(lake: ReportLake) -> None:
    lake.publish("first", FIRST)
    found = survey.survey(lake.storage, lake.lake.run("first").components, k=4, ends=6, limit=30)
    assert len(found.sample.paths) == 30
    assert {label: found.sample.labels.count(label) for label in found.label_counts} == {
        "apple": 17, "fig": 3, "pear": 10,
    }  # fmt: skip
    for path, row in zip(found.sample.paths, found.sample.components, strict=True):
        np.testing.assert_array_equal(row, FIRST[path])


def test_thumbnails_of_earlier_nights_are_found_where_their_features_are(second: ReportLake) -> None:
    facts = read_facts(second.storage, second.lake, "second")
    assert {picture.path for picture in facts.sample.pictures} == set(second.rows)
    assert all(picture.thumbnail == thumbnail_of(picture.path) for picture in facts.sample.pictures)


def test_features_of_before_there_were_thumbnails_show_none(lake: ReportLake) -> None:
    lake.publish("first", FIRST, thumbnails=False, spectrum=False)
    lake.publish("second", clusters({"quince": 7}, seed=2))
    facts = read_facts(lake.storage, lake.lake, "second")
    shown = {picture.label for picture in facts.sample.pictures if picture.thumbnail}
    assert shown == {"quince"}
    assert read_facts(lake.storage, lake.lake, "first").basis.spectrum is None
    assert " Images without a thumbnail: 193." in page_of(lake, "second")


def test_what_is_no_webp_is_not_shown(lake: ReportLake) -> None:
    """Whoever can write into the lake cannot make the page load or run anything."""
    images = {"a/1.jpg": np.zeros(4), "a/2.jpg": np.ones(4)}
    lake.publish("first", images)
    uri = f"{lake.lake.run('first').features}/part-00000.parquet"
    table = pq.read_table(local_path(uri))
    for data in (b"<svg onload=alert(1)>", b"RIFF\0\0\0\0WEBP" + b"0" * 5000):
        column = pa.array([data, thumbnail_of("a/2.jpg")], pa.binary())
        pq.write_table(table.set_column(table.num_columns - 1, "thumbnail", column), local_path(uri))
        facts = read_facts(lake.storage, lake.lake, "first")
        assert {picture.path for picture in facts.sample.pictures if picture.thumbnail} == {"a/2.jpg"}


def test_changes_are_counted_and_the_turn_of_the_basis_is_measured(second: ReportLake) -> None:
    changes = read_facts(second.storage, second.lake, "second").changes
    assert changes is not None
    assert (changes.run, changes.new, changes.changed, changes.deleted) == ("first", 9, 2, 1)
    assert changes.angles is not None
    assert changes.turned is not None
    np.testing.assert_allclose(changes.angles, [0, 0, 0, 20], atol=1e-9)
    np.testing.assert_allclose(changes.turned, [20, 0, 0, 0], atol=1e-5)
    assert changes.steady == 0
    assert read_facts(second.storage, second.lake, "first").changes is None


def test_rejected_images_are_listed_with_their_reasons(second: ReportLake) -> None:
    facts = read_facts(second.storage, second.lake, "second")
    assert [(row.path, row.status, row.error) for row in facts.rejected] == [
        ("a/none.jpg", "empty", "the file has no bytes"),
        ("fig/bad.jpg", "corrupt", "JPEG: truncated"),
    ]


def test_a_run_that_has_been_compacted_still_has_a_report(second: ReportLake) -> None:
    """Its ledger entry and its list of earlier rows have gone."""
    local_path(second.lake.ledger_entry("second")).unlink()
    local_path(second.lake.run("second").earlier).unlink()
    facts = read_facts(second.storage, second.lake, "second")
    assert facts.changes is not None
    assert (facts.changes.new, facts.changes.changed, facts.changes.deleted) == (None, None, 1)
    shown = {picture.path for picture in facts.sample.pictures if picture.thumbnail}
    assert shown == {path for path, (run, _) in second.known.items() if run == "second"} & set(second.rows)


def test_a_run_that_is_not_published_is_one_clear_error(lake: ReportLake) -> None:
    lake.publish("first", FIRST)
    with pytest.raises(OrchardError, match=r"does not name a run 'second': only published runs have reports"):
        read_facts(lake.storage, lake.lake, "second")


def test_damaged_or_lost_results_are_one_clear_error_each(lake: ReportLake) -> None:
    lake.publish("first", FIRST)
    folder = lake.lake.run("first")
    basis = local_path(f"{lake.lake.basis(basis_of('first'))}/basis.npz")
    basis.rename(basis.with_suffix(".away"))
    with pytest.raises(
        OrchardError, match=r"no basis at .*basis\.npz: .*Restore it from the bucket's versions"
    ):
        read_facts(lake.storage, lake.lake, "first")
    basis.with_suffix(".away").rename(basis)
    part = local_path(f"{folder.components}/part-00001.parquet")
    part.write_bytes(part.read_bytes()[:-10])
    with pytest.raises(OrchardError, match=r"part-00001\.parquet cannot be read .*: .*Restore it"):
        read_facts(lake.storage, lake.lake, "first")
    for file in part.parent.iterdir():
        file.unlink()
    with pytest.raises(OrchardError, match=r"no Parquet files in .*components: a published run has some"):
        read_facts(lake.storage, lake.lake, "first")


def test_a_report_made_again_has_the_same_bytes(second: ReportLake) -> None:
    uris = {write_report(second.storage, second.lake, "second") for _ in range(2)}
    assert uris == {f"{second.lake.uri}/runs/second/report.html"}
    first = local_path(uris.pop()).read_bytes()
    write_report(second.storage, second.lake, "second")
    assert local_path(second.lake.run("second").page).read_bytes() == first
    assert len(first) < 2_000_000


def test_a_lake_in_s3_has_the_same_report(tmp_path: Path) -> None:
    pages = []
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="lake")
        for storage, uri in (
            (FileStorage(Path("/")), f"file://{tmp_path}"),
            (S3Storage(client), "s3://lake"),
        ):
            lake = ReportLake(Lake(uri), storage)
            lake.publish("first", FIRST)
            write_report(storage, lake.lake, "first")
            pages.append(storage.read(lake.lake.run("first").page).data)
    assert pages[0] == pages[1]


def page_of(lake: ReportLake, slug: str) -> str:
    return lake.storage.read(write_report(lake.storage, lake.lake, slug)).data.decode()


def test_reading_is_all_that_reading_does(second: ReportLake) -> None:
    folder = local_path(second.lake.uri)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    load.read_facts(second.storage, second.lake, "second")
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


def test_a_report_that_a_run_has_not_got_is_made_by_the_next_one(second: ReportLake) -> None:
    lake, storage = second.lake, second.storage
    second.publish("third", clusters({"quince": 3}, seed=3))
    page = lake.run("first").page
    expected = storage.read(write_report(storage, lake, "first")).data
    storage.delete(page)
    write_report(storage, lake, "second")
    assert write_missing_reports(storage, lake, "third") == [page]
    assert storage.read(page).data == expected
    assert write_missing_reports(storage, lake, "third") == []


def test_where_no_report_can_be_made_any_more_the_next_run_goes_on(second: ReportLake) -> None:
    write_report(second.storage, second.lake, "first")
    second.storage.delete_folder(second.lake.run("first").components)
    second.storage.delete(second.lake.run("first").page)
    assert write_missing_reports(second.storage, second.lake, "second") == []
