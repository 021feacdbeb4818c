"""What is purged is gone in every version, and nothing else is."""

import csv
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from moto import mock_aws

from orchard.cells import cell_of, text_of
from orchard.event_logs import event_log_folder
from orchard.history import History, PublishedRun
from orchard.lake import Lake
from orchard.ledger import LEDGER_SCHEMA, to_parquet
from orchard.publish import to_json
from orchard.storage import FileStorage, Storage, local_path
from orchard.storage_s3 import S3Storage
from orchard_jobs.errors import OrchardError
from purge.__main__ import main, make_plan
from purge.holdings import FileHoldings, Holdings, S3Holdings
from purge.plan import Plan
from purge.request import Request
from purge.rows import without

OLD = datetime.now(UTC) - timedelta(days=3)


@dataclass
class Place:
    """A lake, and images beside it."""

    lake: Lake
    images: str
    storage: Storage
    holdings: Holdings

    def plan(self, **given: str) -> Plan:
        return make_plan(self.request(**given), self.storage, self.holdings, self.holdings)

    def request(self, **given: str) -> Request:
        return Request.from_env({"ORCHARD_LAKE": self.lake.uri, "ORCHARD_IMAGES": self.images, **given})

    def purge(self, **given: str) -> Plan:
        plan = self.plan(**given)
        plan.carry_out()
        return plan

    def write_run(self, slug: str, ledger: dict[str, str], *, publish: bool = True, basis: str = "") -> None:
        """Leave behind what a run does: features of its own rows of ``ledger``, results of all of them."""
        folder = self.lake.run(slug)
        own = [{"path": path, "etag": "e", "status": "ok"} for path, run in ledger.items() if run == slug]
        rows = [{"path": path, "etag": "e", "status": "ok", "run": run} for path, run in ledger.items()]
        files = {
            folder.manifest: parquet(own),
            folder.earlier: parquet([{**row, "stays": True} for row in rows if row["run"] != slug]),
            folder.outcomes: parquet(own),
            f"{folder.features}/part-0.parquet": parquet(
                [{**row, "features": [0.5], "thumbnail": b"x"} for row in own]
            ),
            f"{folder.components}/part-0.parquet": parquet(
                [{"path": path, "components": [0.5]} for path in ledger]
            ),
            f"{folder.csv}/features.csv": lines([cell_of(path), "0.5"] for path in ledger),
            folder.statistics: b"sums",
            folder.report("featurize"): to_json({"rejected_examples": [{"path": path} for path in ledger]}),
            f"{folder.basis}/basis.json": to_json({"basis_id": basis or f"b-{slug}"}),
            f"{folder.uri}/report.html": b"<html>",
        }
        for uri, data in files.items():
            self.storage.write(uri, data)
        if publish:
            self.publish(slug, rows, basis or f"b-{slug}")

    def publish(self, slug: str, rows: list[dict[str, str]], basis_id: str) -> None:
        run_json = {
            "published_at": OLD.isoformat(),
            "basis_id": basis_id,
            "cluster": {"id": f"j-{slug.upper()}"},
        }
        self.storage.write(self.lake.run(slug).run_json, to_json(run_json))
        self.storage.write(f"{self.lake.basis(basis_id)}/basis.npz", b"x")
        logs = f"{self.lake.uri}/logs"
        self.storage.write(f"{logs}/j-{slug.upper()}/steps/stderr.gz", b"x")
        events = f"{event_log_folder(logs)}/eventlog_v2_{slug}"
        self.storage.write(f"{events}/events_1_a.zstd", event_log(f"orchard featurize {slug}"))
        self.storage.write(f"{events}/appstatus_a", b"")
        self.storage.write(
            self.lake.ledger_entry(slug), to_parquet(pa.Table.from_pylist(rows, LEDGER_SCHEMA))
        )
        history = History.of_lake(self.storage, self.lake)
        runs = history.with_run({"run": slug, "images": self.images, "model": {"id": "m"}})
        self.storage.replace(self.lake.latest, to_json({"run": slug, "runs": runs}), history.version)

    def contents(self) -> dict[str, bytes]:
        """Every object of the lake, as a reader gets it."""
        found = self.storage.objects(self.lake.uri)
        return {one.name: self.storage.read(f"{self.lake.uri}/{one.name}").data for one in found}

    def versions(self) -> list[bytes]:
        """Every version of everything that is held, as whoever restores them gets it."""
        return [self.holdings.read(one) for one in self.holdings.below(self.lake.uri) if not one.is_marker]


def event_log(name: str) -> bytes:
    """A Spark event log as far as it names its application."""
    events = [
        {"Event": "SparkListenerLogStart"},
        {"Event": "SparkListenerApplicationStart", "App Name": name},
    ]
    lines = "".join(f"{json.dumps(event)}\n" for event in events)
    return bytes(pa.Codec("zstd").compress(lines.encode(), asbytes=True))


def parquet(rows: list[dict[str, Any]]) -> bytes:
    return to_parquet(pa.Table.from_pylist(rows))


def lines(rows: Iterable[list[str]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows([["path", "pc1"], *rows])
    return buffer.getvalue().encode()


@pytest.fixture(scope="module")
def client() -> Any:
    """Making one takes longer than a test."""
    return boto3.client("s3")


@pytest.fixture(params=["files", "S3", "S3 without versions"])
def place(request: pytest.FixtureRequest, tmp_path: Path, client: Any) -> Iterator[Place]:
    if request.param == "files":
        yield folder_place(tmp_path)
        return
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        if request.param == "S3":
            client.put_bucket_versioning(Bucket="orchard", VersioningConfiguration={"Status": "Enabled"})
        lake = Lake("s3://orchard/a-lake")
        yield Place(lake, f"{lake.uri}/images", S3Storage(client), S3Holdings(client))


def folder_place(tmp_path: Path) -> Place:
    lake = Lake(f"file://{tmp_path}/lake")
    return Place(lake, f"file://{tmp_path}/images", FileStorage(), FileHoldings(local_path(lake.uri)))


@pytest.fixture
def nights(place: Place) -> Place:
    """Three runs: the second computed b, which was changed since; of the first, a is needed."""
    place.write_run("r1", {"a": "r1", "e": "r1"})
    place.write_run("r2", {"a": "r1", "b": "r2", "e": "r1"})
    place.write_run("r3", {"a": "r1", "b": "r3"})
    place.storage.write(f"{place.images}/a", b"an image")
    return place


def left_of(before: dict[str, bytes], place: Place) -> set[str]:
    """Return what is gone, by folder."""
    gone = set(before) - set(place.contents())
    return {"/".join(name.split("/")[:2]) for name in gone}


def test_a_run_goes_with_all_it_has_written_and_its_name_and_nothing_else(nights: Place) -> None:
    before = nights.contents()
    nights.purge(RUN="r2")
    logs = {"logs/j-R2", "logs/spark-events"}
    assert left_of(before, nights) == {"runs/r2", "ledger/r2.parquet", "basis/b-r2", *logs}
    events = {name.split("/")[2] for name in nights.contents() if "spark-events" in name}
    assert events == {"eventlog_v2_r1", "eventlog_v2_r3"}
    changed = {name for name, data in nights.contents().items() if data != before[name]}
    assert changed == {"latest.json"}
    assert [run.run for run in History.of_lake(nights.storage, nights.lake).runs] == ["r1", "r3"]
    assert held_below(nights, "runs/r2") == []
    with pytest.raises(OrchardError, match=r"^no run 'r2'"):
        nights.plan(RUN="r2")


def held_below(place: Place, folder: str) -> list[Any]:
    return place.holdings.below(f"{place.lake.uri}/{folder}")


def test_a_dry_run_says_how_much_and_changes_nothing(nights: Place) -> None:
    before = nights.contents()
    for given in ({"RUN": "r2"}, {"IMAGE": "e"}, {"ALL": "1"}):
        assert "deleted: " in nights.plan(**given).describe()
    assert nights.contents() == before


def test_the_newest_run_is_refused(nights: Place) -> None:
    with pytest.raises(OrchardError, match=r"^r3 is the newest run: readers read it"):
        nights.plan(RUN="r3")


def test_a_run_whose_features_later_runs_need_is_refused_with_their_number(nights: Place) -> None:
    message = r"^the features of r1 are needed by 2 later runs, 2 rows of them by r2: a, e: .* IMAGE=<path>"
    with pytest.raises(OrchardError, match=message):
        nights.plan(RUN="r1")


def test_a_basis_that_another_run_has_too_stays(place: Place) -> None:
    place.write_run("r1", {"a": "r1"}, basis="shared")
    place.write_run("r2", {"a": "r2"}, basis="shared")
    place.purge(RUN="r1")
    assert place.storage.names(place.lake.basis("shared")) == ["basis.npz"]


def test_a_run_that_failed_goes_unless_it_may_be_at_work(place: Place, tmp_path: Path) -> None:
    place.write_run("r1", {"a": "r1"})
    place.write_run("failed", {"b": "failed"}, publish=False)
    with pytest.raises(OrchardError, match=r"^failed is not published, and has written something since"):
        place.plan(RUN="failed")
    if place.lake.uri.startswith("file://"):
        age(place, "failed")
        place.purge(RUN="failed")
        assert place.storage.folders(place.lake.runs) == ["r1"]


def age(place: Place, slug: str) -> None:
    for path in local_path(place.lake.run(slug).uri).rglob("*"):
        os.utime(path, (OLD.timestamp(), OLD.timestamp()))


def test_what_a_purge_that_was_interrupted_has_left_goes_the_next_time(nights: Place) -> None:
    """After the first thing that it does, the run is no longer published."""
    latest = json.loads(nights.storage.read(nights.lake.latest).data)
    latest["runs"] = [run for run in latest["runs"] if run["run"] != "r2"]
    nights.storage.write(nights.lake.latest, to_json(latest))
    nights.purge(RUN="r2")
    assert nights.storage.folders(nights.lake.runs) == ["r1", "r3"]


def test_a_name_that_is_no_runs_is_refused(nights: Place) -> None:
    for name in ("..", "r2/csv", "", ".", "r2*", "../images", "r22", "r"):
        with pytest.raises(OrchardError, match=r"^(no run|nothing to purge)"):
            nights.plan(RUN=name)


def test_an_image_goes_from_every_file_in_every_version_and_nothing_else_does(nights: Place) -> None:
    before = nights.contents()
    nights.storage.delete(nights.lake.ledger_entry("r1"))  # as compact does; the bucket remembers
    nights.purge(IMAGE="e")
    after = nights.contents()
    expected = {"ledger/r1.parquet"} | {f"runs/{run}/{name}" for run in ("r1", "r2") for name in OF_ALL_ROWS}
    assert set(before) - set(after) == expected
    assert {name for name in after if after[name] != before[name]} == {
        *(f"runs/r1/{name}" for name in (*OF_OWN_ROWS, *RESULTS)),
        *(f"runs/r2/{name}" for name in ("earlier.parquet", *RESULTS)),
        "ledger/r2.parquet",
    }
    assert not [data for data in nights.versions() if shows(data, "e")]
    assert [data for data in nights.versions() if shows(data, "a")]
    with pytest.raises(OrchardError, match=r"^the lake holds nothing of the image 'e'"):
        nights.plan(IMAGE="e")


def test_the_page_of_a_run_that_only_rejected_the_image_goes_and_its_statistics_stay(nights: Place) -> None:
    before = nights.contents()
    nights.storage.write(f"{nights.lake.run('r1').csv}/rejects.csv", lines([["it's", "corrupt"]]))
    nights.purge(IMAGE="it's")
    assert set(before) - set(nights.contents()) == {"runs/r1/report.html"}


OF_ALL_ROWS = ("statistics/statistics.npz", "report.html")
OF_OWN_ROWS = ("manifest.parquet", "outcomes.parquet", "features/part-0.parquet")
RESULTS = ("components/part-0.parquet", "csv/features.csv", "reports/featurize.json")


def shows(data: bytes, path: str) -> bool:
    """Whether a file has a row of ``path``; told without the code that takes it out."""
    if data.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(data))
        return "path" in table.column_names and path in table["path"].to_pylist()
    return f'"{path}"'.encode() in data or f"\n{path},".encode() in data


def test_an_image_that_is_still_there_is_refused(nights: Place) -> None:
    with pytest.raises(OrchardError, match=r"images/a is still there: an image is erased once it is deleted"):
        nights.plan(IMAGE="a")


def test_an_image_of_the_newest_result_is_refused(nights: Place) -> None:
    with pytest.raises(
        OrchardError, match=r"^b is in the newest run of these images, r3: .* let a run be pub"
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
    with pytest.raises(
        OrchardError, match="the run working, which is not published, has the image and may be"
    ):
        nights.plan(IMAGE="e")


def test_a_file_that_cannot_be_searched_is_one_clear_error(nights: Place) -> None:
    nights.storage.write(f"{nights.lake.run('r1').features}/part-1.parquet", b"half")
    with pytest.raises(OrchardError, match=r"^cannot search .*part-1\.parquet: .* RUN=r1"):
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


def test_everything_goes_but_images_code_and_models(nights: Place) -> None:
    for name in ("models/m/card.json", "code/run.py", "notes.txt"):
        nights.storage.write(f"{nights.lake.uri}/{name}", b"x")
    plan = nights.purge(ALL="1")
    assert plan.confirmation == nights.lake.uri
    assert f"What stays: {nights.images}" in plan.describe()
    images = {"images/a"} if nights.images.startswith(nights.lake.uri) else set()
    assert set(nights.contents()) == {"models/m/card.json", "code/run.py", "notes.txt"} | images
    assert held_below(nights, "runs") == held_below(nights, "ledger") == []


@pytest.mark.parametrize("setting", ["ORCHARD_IMAGES", "ORCHARD_MODEL", "ORCHARD_CODE"])
def test_nothing_goes_where_what_stays_is_among_it(tmp_path: Path, setting: str) -> None:
    place = folder_place(tmp_path)
    inside = f"{place.lake.uri}/runs/models"
    with pytest.raises(OrchardError, match=f"^{inside} is in .*/runs: images, code and models stay"):
        place.plan(ALL="1", **{setting: inside})


@pytest.mark.parametrize(
    "given", [{}, {"RUN": "r", "IMAGE": "a"}, {"ALL": "yes"}, {"RUN": "r", "ALL": "1"}, {"RUN": ""}]
)
def test_what_to_purge_is_said_exactly_once(given: dict[str, str]) -> None:
    with pytest.raises(OrchardError, match="exactly one of RUN="):
        Request.from_env({"ORCHARD_LAKE": "s3://lake", **given})


def test_a_lake_may_be_given_as_a_folder_and_is_needed() -> None:
    request = Request.from_env({"LAKE": "~/lake", "IMAGES": "s3://images", "RUN": "r"})
    assert request.places.lake == f"file://{Path.home()}/lake"
    assert request.places.images == "s3://images"
    with pytest.raises(OrchardError, match=r"^ORCHARD_LAKE is not set"):
        Request.from_env({"RUN": "r"})


def test_more_versions_than_s3_deletes_at_once_all_go(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("purge.holdings.MOST_AT_ONCE", 5)
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        client.put_bucket_versioning(Bucket="orchard", VersioningConfiguration={"Status": "Enabled"})
        for number in range(12):
            client.put_object(Bucket="orchard", Key=f"run/{number % 7}", Body=b"x")
        client.put_object(Bucket="orchard", Key="run-2/x", Body=b"x")
        holdings = S3Holdings(client)
        holdings.erase(holdings.below("s3://orchard/run"))
        found = client.list_object_versions(Bucket="orchard")
    assert [item["Key"] for item in found["Versions"]] == ["run-2/x"]
    assert "DeleteMarkers" not in found


class DenyingClient:
    """S3 answers 200 to a deletion of which it has denied a part; moto denies nothing."""

    def delete_objects(self, **_: Any) -> Any:
        return {"Errors": [{"Key": "run/x", "Code": "AccessDenied", "Message": "m"}]}


def test_a_deletion_that_s3_denies_in_its_answer_is_one_clear_error(client: Any) -> None:
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        client.put_object(Bucket="orchard", Key="run/x", Body=b"x")
        held = S3Holdings(client).below("s3://orchard/run")
    with pytest.raises(
        OrchardError, match=r"has not deleted 1 of 1 versions, as s3://orchard/run/x: AccessDenied"
    ):
        S3Holdings(DenyingClient()).erase(held)


NAMES = ["a", 'b,"c"', "line\nbreak", "é 🍎/1.jpg", "=1+1.jpg", "'quoted", "\tx", "a\r\nb", "ab"]


@pytest.mark.parametrize("path", NAMES)
def test_a_line_goes_and_all_other_bytes_stay(path: str) -> None:
    whole, expected = (
        lines([cell_of(n), "0.5"] for n in names) for names in (NAMES, [n for n in NAMES if n != path])
    )
    assert without("x.csv", whole, path) == expected
    assert without("x.csv", expected, path) is None
    assert text_of(cell_of(path)) == path


def test_a_row_goes_and_all_other_columns_types_and_groups_stay() -> None:
    schema = pa.schema(
        [("path", pa.string()), ("features", pa.list_(pa.float32())), ("thumbnail", pa.binary())],
        metadata={"made by": "somebody"},
    )
    table = pa.table(
        [["a", "b", None, "c"], [[1.5], None, [], [0.1]], [b"\x00", None, b"", b"x"]], schema=schema
    )
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="snappy", row_group_size=2)
    found = without("part-0.snappy.parquet", buffer.getvalue(), "b")
    assert found is not None
    file, whole = (pq.ParquetFile(io.BytesIO(data)) for data in (found, buffer.getvalue()))
    assert file.schema.equals(whole.schema)
    assert file.read().equals(whole.read().take([0, 2, 3]))
    assert (file.metadata.metadata or {})[b"made by"] == b"somebody"
    assert file.metadata.row_group(0).column(0).compression == "SNAPPY"
    assert file.num_row_groups == 2
    assert without("x.parquet", found, "b") is None


def test_the_last_row_of_a_file_leaves_an_empty_one() -> None:
    found = without("x.parquet", parquet([{"path": "a", "features": [1.0]}]), "a")
    assert found is not None
    assert pq.read_table(io.BytesIO(found)).num_rows == 0


def test_a_report_forgets_examples_and_the_name_in_an_error() -> None:
    report = {"rejected_examples": [{"path": "a"}, {"path": "b"}], "error": "two rows of 'a'", "k": 1}
    found = without("x.json", to_json(report), "a")
    assert found is not None
    assert json.loads(found) == {
        "rejected_examples": [{"path": "b"}],
        "error": "two rows of '(an image that was erased)'",
        "k": 1,
    }


def test_the_command_lists_first_and_deletes_once_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder_place(tmp_path)
    lake = place.lake.uri
    place.write_run("r1", {"a": "r1"})
    place.write_run("r2", {"a": "r2"})
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))

    def purge(**given: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name, text in given.items():
                patch.setenv(name, text)
            code = main()
        said = capsys.readouterr()
        return code, said.out + said.err

    code, text = purge(RUN="r1")
    assert (code, "add CONFIRM=1" in text) == (0, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    code, text = purge(ALL="1", CONFIRM="1")
    assert (code, f"add CONFIRM={lake}" in text) == (2, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    assert purge(RUN="r1", CONFIRM="1")[0] == 0
    assert place.storage.folders(place.lake.runs) == ["r2"]
    code, text = purge(RUN="r2", CONFIRM="1")
    assert (code, "orchard: r2 is the newest run" in text) == (2, True)
    assert purge(ALL="1", CONFIRM=lake)[0] == 0
    assert place.contents() == {}


def test_runs_on_other_images_are_purged_though_they_are_the_newest_of_them(nights: Place) -> None:
    trial = replace(nights, images=f"{nights.images}-2")
    trial.write_run("trial", {"x": "trial"})
    nights.write_run("r4", {"a": "r1", "b": "r3"})
    nights.purge(RUN="trial")
    runs = History.of_lake(nights.storage, nights.lake).runs
    assert runs == tuple(PublishedRun(f"r{n}", nights.images, "m") for n in (1, 2, 3, 4))
