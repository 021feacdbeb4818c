"""The pages of Airflow's UI: who may see them, what they show, and what a request cannot reach."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from airflow.api_fastapi.auth.managers.models.resource_details import DagDetails
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager
from airflow.models.dagrun import DagRun
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState
from sqlalchemy import delete

from orchard.lake.layout import run_slug
from orchard.lake.storage_files import FileStorage
from orchard.pages.app import DAG_RUN_ROUTES, PER_PAGE, ROUTES
from orchard.pages.guard import FRAMING
from tests.support.airflow.deployments import BUCKET
from tests.support.airflow.page_client import Visit
from tests.support.published_runs import DAG_RUN, LOG_OF_STEP, add_files, published, write, write_lake

EVERY_PATH = [path.format(slug="a", name="features.csv") for path in (*ROUTES, *DAG_RUN_ROUTES)]
ASSETS = ("/style.css", "/page.js", "/icon.svg")
HOSTILE = "<script>alert(1)</script>"


@pytest.mark.parametrize("path", EVERY_PATH)
def test_nobody_who_is_not_logged_in_sees_anything(path: str, visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    answer = visit(role="nobody").get(f"/orchard{path}", params=LOG_OF_STEP)
    assert (answer.status_code, answer.json()) == (401, {"detail": "Not authenticated"})


@pytest.mark.parametrize("path", [path for path in EVERY_PATH if path not in ASSETS])
def test_a_user_who_may_not_see_the_runs_of_the_dag_sees_nothing(
    path: str, visit: Visit, tmp_path: Path
) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    assert visit(role=None).get(f"/orchard{path}", params=LOG_OF_STEP).status_code == 403


@pytest.fixture
def only_apples(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user who may see the DAG `apples`, as an auth manager with rights for each DAG has them."""

    def is_authorized(self: SimpleAuthManager, *, details: DagDetails, **more: Any) -> bool:
        return details.id == "apples"

    monkeypatch.setattr(SimpleAuthManager, "is_authorized_dag", is_authorized)


@pytest.mark.usefixtures("only_apples")
def test_runs_are_shown_to_those_who_may_see_their_own_dag(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a", dag_id="apples"), published("b", dag_id="pears"), published("c")])
    for run in "abc":
        add_files(tmp_path / "runs" / run)
    client = visit()
    assert re.findall(r'value="(\w+)"', client.get("/orchard/").text) == ["a"]
    for rest in ("", "/report.html", "/framed.html", "/run.json", "/csv/features.csv"):
        answers = [client.get(f"/orchard/runs/{run}{rest}").status_code for run in "abc"]
        assert answers == [200, 404, 404]
    assert client.get("/orchard/compare", params={"run": ["a", "b"]}).status_code == 404


@pytest.mark.usefixtures("only_apples")
def test_who_may_see_the_runs_of_no_dag_of_the_lake_sees_none(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("b", dag_id="pears"), published("c")])
    for path in ("/", "/compare", "/runs/b", "/runs/c/report.html", "/runs/c/framed.html"):
        assert visit().get(f"/orchard{path}").status_code == 403


def test_a_token_that_somebody_made_up_is_refused(visit: Visit) -> None:
    client = visit(role="nobody")
    assert client.get("/orchard/", headers={"Authorization": "Bearer made.up.token"}).status_code == 403
    assert client.get("/orchard/", cookies={"_token": "made.up.token"}).status_code == 403


@pytest.mark.parametrize("path", [*EVERY_PATH, "/nowhere", "/docs", "/openapi.json"])
def test_every_answer_tells_the_browser_what_it_may_do(path: str, visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    for role in ("VIEWER", "nobody"):
        answer = visit(role=role).get(f"/orchard{path}", params=LOG_OF_STEP, follow_redirects=False)
        assert answer.headers["content-security-policy"].count("default-src 'none'") == 1
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "private, no-store"
        assert "'unsafe-eval'" not in answer.headers["content-security-policy"]


def test_the_newest_runs_come_first_and_nothing_is_read_of_those_on_other_pages(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"night-{number:04d}" for number in range(1000)]
    write_lake(tmp_path, [published(name) for name in names])
    asked: list[str] = []
    whole = FileStorage.read

    def read(storage: FileStorage, uri: str, at_most: int | None = None) -> Any:
        asked.append(uri)
        return whole(storage, uri, at_most)

    monkeypatch.setattr(FileStorage, "read", read)
    monkeypatch.setattr(FileStorage, "objects", None)
    client = visit()
    for page, first in ((1, 999), (2, 979), (50, 19)):
        asked.clear()
        text = client.get("/orchard/", params={"page": page}).text
        shown = re.findall(r'value="(night-\d+)"', text)
        assert shown == names[first - PER_PAGE + 1 : first + 1][::-1]
        assert len(asked) == 1 + 2 * PER_PAGE
    assert "981 to 1000 of 1000" in text
    assert 'rel="next"' not in text
    assert "There are 50 pages" in client.get("/orchard/", params={"page": 51}).text
    assert client.get("/orchard/", params={"page": 0}).status_code == 422


def test_a_run_is_listed_with_its_figures_and_its_final_cost(visit: Visit, tmp_path: Path) -> None:
    write_lake(
        tmp_path, [published("a", cost={"dollars": 0.1}, cluster={"id": "j-1", "release": "emr-spark-8.1.0"})]
    )
    write(tmp_path / "runs" / "a" / "cost.json", b'{"dollars": 0.25}')
    text = visit().get("/orchard/").text
    numbers = re.findall(r'<td class="number">([^<]*)</td>', text)
    assert numbers == ["1,200", "1,199", "1", "15", "56.8%", "1.3", "0.2500 $"]
    assert "EMR emr-spark-8.1.0" in text


def test_a_run_on_a_local_emr_is_not_billed_and_looks_like_it(visit: Visit, tmp_path: Path) -> None:
    on_aws = {"id": "j-1", "release": "emr-spark-8.1.0"}
    cost = {"dollars": 0.25, "per_1000_images": 0.125}
    runs = [published("here", cost=cost, cluster={**on_aws, "local": True})]
    write_lake(tmp_path, [*runs, published("aws", cost=cost, cluster={**on_aws, "local": False})])
    client = visit()
    for path in ("/", "/runs/here", "/compare?run=here&run=aws"):
        text = client.get(f"/orchard{path}").text
        assert "would have cost 0.2500 $" in text
        assert "local EMR emr-spark-8.1.0" in text
    text = client.get("/orchard/runs/aws").text
    assert "would have cost" not in text
    assert "local EMR" not in text
    assert "<bdi>0.2500 $</bdi>" in text


def test_a_lake_without_runs_says_so_and_leads_to_where_one_is_triggered(visit: Visit) -> None:
    for prefix in ("", "/team/airflow"):
        text = visit(prefix=prefix).get(f"{prefix}/orchard/").text
        assert "No run is published yet" in text
        assert 'data-leave target="_blank"' in text
        assert f'href="{prefix}/dags/orchard_features">Trigger</a>' in text


def test_names_are_shown_as_they_are_and_are_never_markup(visit: Visit, tmp_path: Path) -> None:
    odd = {"cluster": {"id": HOSTILE, "release": HOSTILE}, "weights": HOSTILE, "images": HOSTILE}
    odd |= {"published_at": HOSTILE, "components": HOSTILE, "versions": {HOSTILE: HOSTILE}, "run_id": HOSTILE}
    write_lake(tmp_path, [published("a", **odd), published("b", **odd)])
    client = visit(f"file://{tmp_path}")
    for path in ("/", "/runs/a", "/compare?run=a&run=b", f"/dag-run?dag_id={HOSTILE}&run_id={HOSTILE}"):
        text = client.get(f"/orchard{path}").text
        assert HOSTILE not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_a_run_json_that_is_gone_damaged_or_of_an_earlier_version_hides_no_other_run(
    visit: Visit, tmp_path: Path
) -> None:
    old = {"run": "old", "published_at": "2026-11-20T02:00:00+00:00", "counts": {"listed": 5}}
    write_lake(tmp_path, [published("gone"), published("damaged"), published("list"), old, published("good")])
    (tmp_path / "runs" / "gone" / "run.json").unlink()
    (tmp_path / "runs" / "damaged" / "run.json").write_text('{"run"')
    (tmp_path / "runs" / "list" / "run.json").write_text("[]")
    client = visit()
    text = client.get("/orchard/").text
    assert re.findall(r'name="run" value="(\w+)"', text) == ["good", "old", "list", "damaged", "gone"]
    assert '<td class="number">5</td>\n<td class="number">?</td>' in text
    for name in ("gone", "damaged", "old"):
        assert client.get(f"/orchard/runs/{name}").status_code == 200
        assert client.get(f"/orchard/compare?run=good&run={name}").status_code == 200


def test_two_runs_are_compared_and_what_differs_is_marked_by_more_than_colour(
    visit: Visit, tmp_path: Path
) -> None:
    """The table of a computer here and a cluster."""
    here = published("here", cluster={"id": "local[*]"}, images_per_second=11.9)
    cluster = published(
        "cluster",
        cluster={"id": "j-1", "release": "emr-spark-8.1.0"},
        images_per_second=195.5,
        cost={"dollars": 0.12, "per_1000_images": 0.1, "instances": 3, "instance_seconds": 1800},
        phases={"featurize": {"read": 1.5, "infer": 20}},
    )
    write_lake(tmp_path, [here, cluster])
    text = visit().get("/orchard/compare?run=here&run=cluster").text
    rows = re.findall(r'<tr( class="differs")?><th scope="row">([^<]*)</th><td>(.?)</td>(.*)</tr>', text)
    cells = {name: (mark, *re.findall("<bdi>(.*?)</bdi>", rest)) for _, name, mark, rest in rows}
    assert cells["environment"] == ("≠", "Spark local[*]", "EMR emr-spark-8.1.0")
    assert cells["images"] == ("", "1,200", "1,200")
    assert cells["seconds"] == ("", "75.3", "75.3")
    assert cells["images/s"] == ("≠", "11.9", "195.5")
    assert cells["cost"] == ("≠", "–", "0.1200 $")
    assert cells["per 1,000 images"] == ("≠", "–", "0.1000 $")
    assert cells["instances"] == ("≠", "–", "3, for 1,800 s in all")
    assert cells["featurize: parts"] == ("≠", "?", "read 1.5, infer 20.0")
    assert all(bool(differs) == (mark == "≠") for differs, _, mark, _ in rows)


@pytest.mark.parametrize(
    ("query", "ticked"), [("", "none"), ("run=a", "1"), ("run=a&run=a&run=a", "3"), ("run=nobody", "1")]
)
def test_a_comparison_of_other_than_two_runs_says_what_to_do(
    query: str, ticked: str, visit: Visit, tmp_path: Path
) -> None:
    write_lake(tmp_path, [published("a")])
    answer = visit().get(f"/orchard/compare?{query}")
    assert answer.status_code == 400
    assert "<h1>Tick two runs</h1>" in answer.text
    assert f"then choose Compare two. You have ticked {ticked}.</p>" in answer.text
    assert '<a href="/orchard/">All published runs</a>' in answer.text


def test_a_comparison_takes_runs_that_are_there(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    answer = visit().get("/orchard/compare?run=a&run=nobody")
    assert answer.status_code == 404
    assert 'role="alert"' in answer.text


def test_two_runs_are_compared_by_the_charts_of_their_reports(visit: Visit, tmp_path: Path) -> None:
    """Of a report that is not Airflow's nothing is shown, and of one that is not there why."""
    write_lake(tmp_path, [published(name) for name in ("good", "other", "without")])
    for name in ("good", "other"):
        add_files(tmp_path / "runs" / name)
    write(tmp_path / "runs" / "other" / "report.html", HOSTILE.encode())
    client = visit()
    answer = client.get("/orchard/compare?run=good&run=good")
    frame = 'sandbox="allow-scripts" src="/orchard/runs/good/framed.html?only=charts"></iframe>'
    assert answer.text.count(frame) == 2
    assert answer.headers["content-security-policy"] == FRAMING
    text = client.get("/orchard/compare?run=other&run=without").text
    assert "<iframe" not in text
    assert "report.html is not as the task &#39;report&#39; wrote it" in text
    assert "This run has no report" in text
    assert 'name="charts" srcdoc=' in client.get("/orchard/runs/good/framed.html?only=charts").text
    assert client.get(f"/orchard/runs/good/framed.html?only={HOSTILE}").status_code == 422


def test_a_dag_run_leads_to_its_run_in_the_lake(visit: Visit, tmp_path: Path) -> None:
    slug = run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"])
    write_lake(tmp_path, [published(slug)])
    client = visit()
    for show, path in (("", ""), ("report", "/report.html"), ("csv", "/csv/features.csv"), ("//evil", "")):
        answer = client.get("/orchard/dag-run", params={**DAG_RUN, "show": show}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/orchard/runs/{slug}{path}")
    other = client.get("/orchard/dag-run", params={**DAG_RUN, "dag_id": "another"}, follow_redirects=False)
    assert (other.status_code, "Not published" in other.text) == (200, True)


def test_a_lake_in_s3_is_shown_and_a_csv_streamed_from_there(visit: Visit, s3: Any, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    add_files(tmp_path / "runs" / "a")
    write(tmp_path / "runs" / "a" / "csv" / "features.csv", b"0123456789" * 600_000)
    for path in tmp_path.rglob("*.*"):
        if path.is_file():
            s3.upload_file(str(path), BUCKET, f"lake/{path.relative_to(tmp_path)}")
    client = visit(f"s3://{BUCKET}/lake", ORCHARD_REGION="eu-west-3")
    assert 'value="a"' in client.get("/orchard/").text
    answer = client.get("/orchard/runs/a/csv/features.csv")
    assert (answer.content, answer.headers["content-length"]) == (b"0123456789" * 600_000, "6000000")


def test_a_lake_that_does_not_answer_is_said_on_the_page(visit: Visit, s3: Any) -> None:
    answer = visit("s3://nobodys-bucket", ORCHARD_REGION="eu-west-3").get("/orchard/")
    assert answer.status_code == 502
    assert "The lake cannot be read" in answer.text
    assert "NoSuchBucket" in answer.text


def test_a_setting_that_the_api_server_lacks_is_named(visit: Visit, tmp_path: Path) -> None:
    for environ, why in (
        ({"ORCHARD_LAKE": ""}, "ORCHARD_LAKE is not set"),
        ({"ORCHARD_LAKE": "x"}, "it must be"),
    ):
        answer = visit(**environ).get("/orchard/")
        assert answer.status_code == 500
        assert why in answer.text


def test_links_keep_the_prefix_that_airflow_is_served_under(visit: Visit, tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a")])
    text = visit(prefix="/team/airflow").get("/team/airflow/orchard/").text
    links = re.findall(r'(?:href|src|action)="(/[^"]*)"', text)
    assert {link[: len("/team/airflow/orchard/")] for link in links} == {"/team/airflow/orchard/"}


def test_a_latest_json_of_somebody_else_is_said(visit: Visit, tmp_path: Path) -> None:
    (tmp_path / "latest.json").write_text('{"runs": ["a"]}')
    answer = visit().get("/orchard/")
    assert (answer.status_code, "is damaged, or from a newer version of Orchard" in answer.text) == (
        500,
        True,
    )


@pytest.fixture
def running_dag_run(airflow_db: None) -> Iterator[str]:
    """The slug of a DAG run that Airflow knows to be running."""
    with create_session() as session:
        session.add(DagRun(**DAG_RUN, run_type="scheduled", state=DagRunState.RUNNING))
    yield run_slug(DAG_RUN["run_id"], DAG_RUN["dag_id"])
    with create_session() as session:
        session.execute(delete(DagRun).where(DagRun.run_id == DAG_RUN["run_id"]))


def test_a_run_that_works_says_how_far_it_is_and_looks_again(
    visit: Visit, tmp_path: Path, running_dag_run: str
) -> None:
    text = visit().get("/orchard/dag-run", params=DAG_RUN).text
    assert "None of its jobs has started" in text
    metrics = {"state": "running", "done": 320, "total": 647, "images_per_second": 75.3}
    folder = tmp_path / "runs" / running_dag_run / "reports"
    write(folder / "featurize.json", json.dumps(metrics).encode())
    text = visit().get("/orchard/dag-run", params=DAG_RUN).text
    assert "<h1>Running</h1>" in text
    assert "320 of 647 images, 75.3 images/s, 4.3 s left" in text
    assert '<progress max="647.0" value="320.0"' in text
    assert '<meta http-equiv="refresh" content="5">' in text
    write(folder / "featurize.json", json.dumps({"state": "succeeded", "seconds": 9, "total": 647}).encode())
    write(folder / "reduce.json", json.dumps({"state": "running"}).encode())
    text = visit().get("/orchard/dag-run", params=DAG_RUN).text
    assert "<dt>featurize</dt><dd>9.0 s, 647 images</dd>" in text
    assert "<dt>reduce</dt><dd>working</dd>" in text


def test_a_published_run_whose_cluster_has_not_ended_looks_again_for_the_state_and_the_cost(
    visit: Visit, tmp_path: Path, running_dag_run: str
) -> None:
    write_lake(tmp_path, [published("older"), published(running_dag_run, **DAG_RUN)])
    client, refresh = visit(), '<meta http-equiv="refresh" content="5">'
    assert refresh in client.get(f"/orchard/runs/{running_dag_run}").text
    assert refresh not in client.get("/orchard/runs/older").text


@pytest.mark.parametrize("content", [b"[", b"[]", b'{"state": "<b>", "done": "<script>"}', b"[" * 100_000])
def test_whatever_a_job_says_while_it_works_the_page_is_shown(
    content: bytes, visit: Visit, tmp_path: Path, running_dag_run: str
) -> None:
    write(tmp_path / "runs" / running_dag_run / "reports" / "featurize.json", content)
    answer = visit().get("/orchard/dag-run", params=DAG_RUN)
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    assert "<b>" not in answer.text
