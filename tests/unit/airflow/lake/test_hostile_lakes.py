"""A node that is somebody else's, after runs were published: it rewrites what it may write, of any run.

Airflow goes on to compact, retain, report, serve and publish over it, and people purge. Only what each of
these is there to change does change, nothing from outside the lake is read into it or shown, and what goes
wrong is one clear error.
"""

import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from erasure.holdings import FileHoldings
from erasure.plan import Plan
from erasure.purge import build_plan
from erasure.request import Request
from orchard.lake import compaction
from orchard.lake.compaction import compact
from orchard.lake.event_logs import delete_event_logs, event_log_folder
from orchard.lake.layout import Lake, run_slug
from orchard.lake.retention import retain
from orchard.lake.storage_files import FileStorage
from orchard.publishing.publish import publish
from orchard.report.stored import store_report
from orchard.report.write import write_report
from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import event_log
from tests.support.airflow.finished_runs import basis_id_of, finish_jobs, latest_of, publication
from tests.support.airflow.hostile_nodes import SECRET, TABLES, Deed, contents, deeds_on
from tests.support.airflow.page_client import Visit
from tests.support.airflow.report_lake import ReportLake, clusters
from tests.support.published_runs import DAG_RUN

NOW = datetime(2027, 1, 1, tzinfo=UTC)
NEWEST = run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"])
NIGHTS = ["n0", "n1", "n2", "n3", NEWEST]
IMAGES = "s3://lake/images"
IMAGE = "Apple/0.jpg"
"""Of the first night, and deleted by the next one."""

IN_A_RUN = (
    "manifest.parquet",
    "outcomes.parquet",
    "features",
    "features/part-00000.parquet",
    "components",
    "components/part-00000.parquet",
    "basis",
    "basis/basis.json",
    "statistics",
    "statistics/statistics.npz",
    "reports",
    "reports/featurize.json",
    "csv",
    "csv/features.csv",
    "csv/rejects.csv",
)
LOGS = (
    "logs/j-1",
    "logs/j-1/steps/s-1/stderr",
    "logs/j-1/steps/s-1/stdout.gz",
    "logs/spark-events",
    "logs/spark-events/eventlog_v2_1/events_1_a.zstd",
)
PATHS = [
    *(f"runs/{run}/{name}" for run in (NEWEST, "n3", "n0") for name in IN_A_RUN),
    *(f"runs/{name}" for name in ("n0", "stranger", "stranger/reports/featurize.json")),
    *LOGS,
]
TARGETS = [
    Path(path)
    for path in ("/proc/self", "/proc/self/environ", ".", "..", "nowhere", "../../../secret", "../../../..")
] + [Path(f"../../{place}") for place in ("models", "latest.json", "ledger", f"runs/{NEWEST}", "basis")]
NAMES = (
    "basis_id",
    "rejected_examples",
    "phases",
    "started_at",
    "worker_seconds",
    "path",
    "cluster",
    "error",
)

many = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
deeds = given(done=st.lists(deeds_on(PATHS, TARGETS, NAMES), min_size=1, max_size=4))


@dataclass(frozen=True)
class Attacked:
    """A lake beside a secret, in which somebody else's node has been."""

    root: Path
    made: ReportLake

    @property
    def lake(self) -> Lake:
        return self.made.lake

    @property
    def storage(self) -> FileStorage:
        return FileStorage(self.root / "lake")

    def changed_by(self, act: Callable[[], object]) -> set[str]:
        """Do something; return what has changed in the lake. It may raise one clear error, in one line."""
        before, said = contents(self.root), ""
        try:
            act()
        except (OrchardError, FileNotFoundError) as error:
            said = str(error)
        assert said.isprintable()
        assert len(said) < 3000
        after = contents(self.root)
        spread = {name for name, data in after.items() if SECRET in data and before.get(name) != data}
        assert not spread
        changed = {name for name in before | after if before.get(name) != after.get(name)}
        assert all(name.startswith("lake/") for name in changed)
        return {name.removeprefix("lake/") for name in changed}


Attack = Callable[[list[Deed]], Attacked]


@pytest.fixture(scope="module")
def attack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attack]:
    """Return a function that does deeds in a lake, which is as it was each time."""
    root, kept = tmp_path_factory.mktemp("hostile"), tmp_path_factory.mktemp("kept") / "lake"
    (root / "secret").write_bytes(SECRET)
    made = publish_nights(Lake(f"file://{root}/lake"))
    (root / "lake").rename(kept)

    def do(done: list[Deed]) -> Attacked:
        shutil.rmtree(root / "lake", ignore_errors=True)
        shutil.copytree(kept, root / "lake")
        for deed in done:
            deed.carry_out(root / "lake")
        return Attacked(root, deepcopy(made))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "KEPT", 2)
        yield do


def publish_nights(lake: Lake) -> ReportLake:
    """Three apples, of which one is deleted, and a fruit of the day each night, which is gone the next."""
    made = ReportLake(lake)
    for number, slug in enumerate(NIGHTS):
        new = clusters({"Apple": 3 * (number == 0), f"Kiwi {number}": 1}, seed=number)
        gone = [f"Kiwi {number - 1}/0.jpg"] * (number > 0) + [IMAGE] * (number == 1)
        made.publish(slug, new, rejected={f"{number}.txt": ("corrupt", "no image")}, deleted=tuple(gone))
        write_beside(made, slug)
    write_logs(made)
    made.storage.write(f"{lake.uri}/models/card.json", b"{}")
    return made


def write_beside(made: ReportLake, slug: str) -> None:
    folder = made.lake.run(slug)
    for uri in (folder.manifest, f"{folder.basis}/basis.json", folder.statistics):
        made.storage.write(uri, b"{}")
    store_report(made.storage, made.lake, slug, b"<!doctype html>")
    lines = "".join(f'"{path}",0.5\n' for path in made.rows)
    for name in ("features", "rejects"):
        made.storage.write(f"{folder.csv}/{name}.csv", f'"path","pc1"\n{lines}'.encode())


def write_logs(made: ReportLake) -> None:
    logs = f"{made.lake.uri}/logs"
    for name in ("stderr", "stdout.gz"):
        made.storage.write(f"{logs}/j-1/steps/s-1/{name}", b"a log")
    events = f"{event_log_folder(logs)}/eventlog_v2_1"
    made.storage.write(f"{events}/events_1_a.zstd", event_log("orchard featurize n2"))


def acts_on(it: Attacked) -> dict[str, Callable[[], object]]:
    """What Airflow does after a night, and people now and then."""
    return {
        "compact": lambda: compact(it.storage, it.lake),
        "retain": lambda: (
            retain(it.storage, it.lake, 1, NOW),
            delete_event_logs(it.storage, f"{it.lake.uri}/logs", NOW),
        ),
        "report": lambda: write_report(it.storage, it.lake, NEWEST),
        "purge a run": lambda: plan_of(it, run="n2").carry_out(),
        "erase an image": lambda: plan_of(it, image=IMAGE).carry_out(),
    }


def plan_of(it: Attacked, run: str = "", image: str = "") -> Plan:
    environ = {"ORCHARD_LAKE": it.lake.uri, "ORCHARD_IMAGES": IMAGES}
    request = Request.build(environ, run=run, image=image)
    holdings = FileHoldings(it.root / "lake")
    return build_plan(request, it.storage, holdings, holdings)


def state_of(*slugs: str) -> set[str]:
    """What compaction deletes of runs."""
    return {
        name
        for slug in slugs
        for name in (
            f"runs/{slug}/statistics/statistics.npz",
            f"runs/{slug}/earlier.parquet",
            f"ledger/{slug}.parquet",
        )
    }


def all_of(it: Attacked, *slugs: str) -> set[str]:
    """What there is of runs, whoever has written it."""
    places = tuple(
        place for slug in slugs for place in (f"runs/{slug}/", f"ledger/{slug}.", f"basis/basis-of-{slug}/")
    )
    return {name for name in contents(it.root / "lake") if name.startswith(places)}


REPORT = {f"runs/{NEWEST}/report.html", f"ledger/{NEWEST}.report"}
FEATURES = "runs/n0/features/part-00000.parquet"
STEP_LOGS = ("logs/j-1/steps/s-1/stderr", "logs/j-1/steps/s-1/stdout.gz")
EVENTS = "logs/spark-events/eventlog_v2_1/events_1_a.zstd"


def test_in_a_lake_that_nobody_attacked_each_act_does_its_work(attack: Attack) -> None:
    it = attack([])
    of_n0 = all_of(it, "n0")
    expected = {
        "compact": state_of("n0", "n1", "n2"),
        # Two apples of the first night still count, so its features stay.
        "retain": all_of(it, "n1", "n2", "n3")
        | of_n0 - {FEATURES, "runs/n0/run.json"}
        | {"latest.json", EVENTS},
        "report": REPORT,
        "purge a run": all_of(it, "n2") | {"latest.json", EVENTS, *STEP_LOGS},
    }
    for name in acts_on(it):
        it = attack([])
        changed = it.changed_by(acts_on(it)[name])
        if name in expected:
            assert changed == expected[name]
        else:
            assert {FEATURES, "runs/n0/components/part-00000.parquet", "ledger/n0.parquet"} <= changed
            assert changed <= of_n0 | all_of(it, "n1")


@many
@deeds
def test_compaction_deletes_the_state_of_superseded_runs_and_nothing_else(
    done: list[Deed], attack: Attack
) -> None:
    it = attack(done)
    assert it.changed_by(acts_on(it)["compact"]) <= state_of("n0", "n1", "n2")


@many
@deeds
def test_retention_deletes_superseded_runs_and_what_was_never_published_and_nothing_else(
    done: list[Deed], attack: Attack
) -> None:
    it = attack(done)
    staying = all_of(it, NEWEST) | {FEATURES, "runs/n0/run.json"}
    changed = it.changed_by(acts_on(it)["retain"])
    assert not changed & staying
    assert {name.partition("/")[0] for name in changed} <= {"runs", "ledger", "basis", "logs", "latest.json"}
    assert not [
        name for name in changed if name.startswith("logs/") and not name.startswith("logs/spark-events/")
    ]
    assert latest_of(it.lake)["run"] == NEWEST


@many
@deeds
def test_a_report_is_made_of_a_run_or_not_and_nothing_else_changes(done: list[Deed], attack: Attack) -> None:
    it = attack(done)
    assert it.changed_by(acts_on(it)["report"]) <= REPORT


@pytest.mark.parametrize("name", ["components", "features", "outcomes"])
@pytest.mark.parametrize("number", range(len(TABLES)))
def test_a_report_takes_no_table_for_another(number: int, name: str, attack: Attack) -> None:
    file = f"{name}.parquet" if name == "outcomes" else f"{name}/part-00000.parquet"
    it = attack([Deed("tabulate", f"runs/{NEWEST}/{file}", TABLES[number])])
    for act in ("report", "erase an image", "purge a run"):
        it.changed_by(acts_on(it)[act])


@many
@deeds
def test_purging_a_run_deletes_what_is_of_that_run_and_nothing_else(done: list[Deed], attack: Attack) -> None:
    it = attack(done)
    of_the_run = all_of(it, "n2") | {"latest.json"}
    changed = it.changed_by(acts_on(it)["purge a run"])
    logs = {name for name in changed if name.startswith(("logs/j-1/", "logs/spark-events/"))}
    assert changed - logs <= of_the_run


@many
@deeds
def test_erasing_an_image_changes_runs_and_bases_that_are_not_the_newest_and_nothing_else(
    done: list[Deed], attack: Attack
) -> None:
    it = attack(done)
    newest = {f"basis/basis-of-{NEWEST}/basis.npz", f"runs/{NEWEST}/run.json"}
    changed = it.changed_by(acts_on(it)["erase an image"])
    assert not changed & newest
    assert {name.partition("/")[0] for name in changed} <= {"runs", "ledger", "basis"}
    assert not [name for name in changed if name.endswith(("/run.json", "/cost.json"))]


@many
@deeds
def test_the_pages_show_nothing_from_outside_the_lake_and_change_nothing(
    done: list[Deed], attack: Attack, visit: Visit
) -> None:
    # A large file is streamed; this client would keep all of it.
    it = attack([deed for deed in done if deed.what != "blow_up"])
    client = visit(it.lake.uri)
    run = f"/orchard/runs/{NEWEST}"
    pages = [
        "/orchard/",
        f"/orchard/compare?run={NEWEST}&run=n0",
        *(f"{run}{name}" for name in ("", "/report.html", "/framed.html", "/run.json", "/csv/features.csv")),
        *(f"/orchard/runs/n0{name}" for name in ("", "/report.html", "/csv/rejects.csv")),
        f"{run}/csv/..%2F..%2F..%2Fsecret",
    ]
    of_the_run = urlencode(DAG_RUN)
    pages += [f"/orchard/logs?{of_the_run}"]
    pages += [f"/orchard/log?{of_the_run}&step=s-1&name={name}" for name in ("stderr", "stdout.gz")]
    assert not it.changed_by(lambda: [check(client, page) for page in pages])


def check(client: TestClient, page: str) -> None:
    answer = client.get(page)
    assert SECRET not in answer.content
    assert answer.text != "Internal Server Error"


@many
@deeds
def test_the_next_honest_run_is_published_and_has_its_report(done: list[Deed], attack: Attack) -> None:
    it = attack(done)
    finish_jobs(it.lake, "honest")
    honest = publication("honest", NEWEST, images=IMAGES)
    assert it.changed_by(lambda: publish(it.storage, it.lake, honest)) == {
        "runs/honest/run.json",
        "ledger/honest.parquet",
        "latest.json",
        *(f"basis/{basis_id_of('honest')}/{name}" for name in ("basis.json", "basis.npz")),
    }
    it.made.publish("next", clusters({"Apple": 4}))
    write_report(it.storage, it.lake, "next")
