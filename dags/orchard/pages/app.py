"""The app that Airflow's API server mounts at ``/orchard``. Users see the runs of DAGs that they may see.

It is read-only. Every request looks up the published runs in ``latest.json``: of unpublished runs only
progress and logs are shown, and every part of a path in a request is validated.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Literal, TypeVar

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import get_user, requires_access_dag
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.orm import Session

from orchard.lake.layout import run_slug
from orchard.lake.run_index import RunIndex
from orchard.pages import dag_runs, files, guard, logs, templates
from orchard.pages.access import DEFAULT_DAG_ID, VisibleRuns, get_source
from orchard.pages.guard import Guarded
from orchard.pages.problems import Absent, handle_absent, handle_error, handle_lake_error
from orchard.pages.progress import find_progress
from orchard.pages.source import Source
from orchard.report.run_figures import COMPARED, LISTED, Figure, cost, environment, minutes
from orchard.report.stored import read_report
from orchard_jobs.errors import OrchardError
from orchard_jobs.run_folder import RunFolder

PER_PAGE = 20
"""Runs per page, each of which takes two reads: run.json and cost.json."""

AT_ONCE = 8

NUMBERS: dict[str, Figure] = {
    **{name: LISTED[name] for name in ("images", "new", "rejected", "K", "variance")},
    "minutes": minutes,
    "cost": cost,
}
"""Columns of the list: those of `orchard runs`, and a few more."""

T = TypeVar("T")
Text = Annotated[str, Query(max_length=500)]


def create_app(environ: Mapping[str, str]) -> Guarded:
    """Return the app for the lake in ``environ``, which is read with each request."""
    # No OpenAPI schema or docs: they would be public.
    app = FastAPI(
        dependencies=[Depends(get_user)],
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.source = lambda: Source.from_env(environ)
    for path, answer in ROUTES.items():
        app.add_api_route(path, answer, response_model=None)
    # For the DAG in the request's dag_id, like Airflow's own API.
    may_read_logs = Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS))
    for path, answer in DAG_RUN_ROUTES.items():
        app.add_api_route(path, answer, response_model=None, dependencies=[may_read_logs])
    app.add_exception_handler(Absent, handle_absent)
    app.add_exception_handler(OrchardError, handle_error)
    for kind in (ClientError, BotoCoreError, OSError):
        app.add_exception_handler(kind, handle_lake_error)
    return Guarded(app)


def list_runs(
    request: Request,
    session: SessionDep,
    published: VisibleRuns,
    page: Annotated[int, Query(ge=1, le=100_000)] = 1,
) -> Response:
    """The published runs, newest first. Reads only those on the page."""
    start = (page - 1) * PER_PAGE
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = list(pool.map(published.describe, published.names[start : start + PER_PAGE]))
    return templates.render(
        request,
        "runs.html",
        lake=published.lake.uri,
        dag_id=DEFAULT_DAG_ID,
        runs=runs,
        known=dag_runs.find_known(session, runs),
        listed=LISTED,
        numbers=NUMBERS,
        environment=environment,
        total=len(published.names),
        first=start + 1,
        page=page,
        pages=max(1, -(-len(published.names) // PER_PAGE)),
    )


def compare(
    request: Request,
    published: VisibleRuns,
    run: Annotated[list[str], Query()] = [],  # noqa: B006 - FastAPI's way
) -> Response:
    """Two runs side by side."""
    if len(run) != 2:
        text = f"Tick two runs in the list, then choose Compare two. You have ticked {len(run) or 'none'}."
        return templates.render(request, "problem.html", 400, title="Tick two runs", text=text)
    runs = [published.describe(_seen(published, slug)) for slug in run]
    return templates.render(
        request,
        "compare.html",
        policy=guard.FRAMING,
        runs=runs,
        figures=COMPARED,
        without_report=[_why_without_report(published, slug) for slug in run],
    )


def show_run(request: Request, session: SessionDep, published: VisibleRuns, slug: str) -> Response:
    """One run: its figures, its files, and the run before it."""
    return templates.render(request, "run.html", figures=COMPARED, **_describe(session, published, slug))


def show_report(request: Request, session: SessionDep, published: VisibleRuns, slug: str) -> Response:
    """A run's report in its frame, with links to the run's other files."""
    _report_of(published, slug)  # show errors here, not in the frame
    return templates.render(
        request, "report.html", policy=guard.FRAMING, **_describe(session, published, slug)
    )


def show_framed(published: VisibleRuns, slug: str, only: Literal["charts"] | None = None) -> Response:
    """What the frame shows: the report, or its charts alone."""
    return files.report(_report_of(published, slug), only or "")


def show_run_json(published: VisibleRuns, slug: str) -> Response:
    folder = _folder(published, slug)
    return _found(lambda: files.data(published.storage, folder.run_json), "run.json is no longer there.")


def download_csv(published: VisibleRuns, slug: str, name: str) -> Response:
    """One of the run's CSVs, to save."""
    folder = _folder(published, slug)
    # Nodes write there, and the name becomes a header: accept existing files with names that export uses.
    if not files.CSV_NAME.fullmatch(name) or name not in published.storage.names(folder.csv):
        raise Absent("This run has no such CSV; retention may have removed it.")
    uri = f"{folder.csv}/{name}"
    return _found(
        lambda: files.download(published.storage, uri, f"{slug}-{name}"), "The CSV is no longer there."
    )


def show_dag_run(
    request: Request, session: SessionDep, dag_id: Text, run_id: Text, show: str = ""
) -> Response:
    """Redirect from a DAG run to its published run, or one of its files; else show its progress."""
    slug, published = run_slug(run_id, dag_id), get_source(request).published()
    if slug in published.names:
        paths = {"report": "/report.html", "csv": "/csv/features.csv"}
        base = request.scope.get("root_path", "")
        return RedirectResponse(f"{base}/runs/{slug}{paths.get(show, '')}", 303)
    known = dag_runs.find_one(session, dag_id, run_id)
    jobs = find_progress(published.storage, published.lake, slug) if known else []
    return templates.render(request, "unpublished.html", dag_id=dag_id, run_id=run_id, known=known, jobs=jobs)


def list_logs(request: Request, session: SessionDep, dag_id: Text, run_id: Text) -> Response:
    """The logs of the steps of a DAG run's cluster, whether the run is published or not."""
    source = get_source(request)
    cluster = _cluster(source, session, dag_id, run_id)
    return templates.render(
        request,
        "logs.html",
        dag_id=dag_id,
        run_id=run_id,
        cluster=cluster,
        logs=logs.find_logs(source.logs(), source.places.logs, cluster),
        tasks=dag_runs.tasks_by_step(session, dag_id, run_id),
        place=f"{source.places.logs}/{cluster}",
    )


def show_log(  # noqa: PLR0913, PLR0917 - the parameters of a request are its arguments
    request: Request, session: SessionDep, dag_id: Text, run_id: Text, step: Text, name: Text
) -> Response:
    source = get_source(request)
    if not logs.STEP.fullmatch(step) or not logs.NAME.fullmatch(name):
        raise Absent("There is no such log.")
    uri = f"{source.places.logs}/{_cluster(source, session, dag_id, run_id)}/steps/{step}/{name}"
    return _found(lambda: logs.read_log(source.logs(), uri), "There is no such log.")


def show_style() -> Response:
    return Response(templates.style(), media_type="text/css")


def show_script() -> Response:
    return Response(templates.script(), media_type="text/javascript")


def show_icon() -> Response:
    return Response(templates.icon(), media_type="image/svg+xml")


ROUTES: dict[str, Callable[..., Response]] = {
    "/": list_runs,
    "/compare": compare,
    "/runs/{slug}": show_run,
    "/runs/{slug}/report.html": show_report,
    "/runs/{slug}/framed.html": show_framed,
    "/runs/{slug}/run.json": show_run_json,
    "/runs/{slug}/csv/{name}": download_csv,
    "/style.css": show_style,
    "/page.js": show_script,
    "/icon.svg": show_icon,
}

DAG_RUN_ROUTES: dict[str, Callable[..., Response]] = {
    "/dag-run": show_dag_run,
    "/logs": list_logs,
    "/log": show_log,
}


def _seen(published: RunIndex, slug: str) -> str:
    if slug not in published.names:
        raise Absent("latest.json does not name this run.")
    return slug


def _describe(session: Session, published: RunIndex, slug: str) -> dict[str, Any]:
    """Return the template variables of a run's pages."""
    run = published.describe(_seen(published, slug))
    older = published.names[published.names.index(slug) + 1 :]
    return {
        "run": run,
        "known": dag_runs.find_known(session, [run]).get(slug),
        "older": older[0] if older else None,
    }


def _report_of(published: RunIndex, slug: str) -> bytes:
    run = _seen(published, slug)
    return _found(
        lambda: read_report(published.storage, published.lake, run),
        "This run has no report: clear its task 'report', or run `orchard report`.",
    )


def _why_without_report(published: RunIndex, slug: str) -> str | None:
    try:
        _report_of(published, slug)
    except (Absent, OrchardError) as error:
        return str(error)
    return None


def _folder(published: RunIndex, slug: str) -> RunFolder:
    return published.lake.run(_seen(published, slug))


def _cluster(source: Source, session: Session, dag_id: str, run_id: str) -> str:
    """Return the id of a DAG run's cluster, from Airflow, or from run.json if Airflow has deleted the run."""
    cluster = dag_runs.find_cluster(session, dag_id, run_id)
    slug = run_slug(run_id, dag_id)
    if cluster is None:
        published = source.published()
        run = published.describe(slug) if slug in published.names else {}
        cluster = str((run.get("cluster") or {}).get("id"))
    if not logs.CLUSTER.fullmatch(cluster):
        raise Absent("No cluster was created for this run, so it has no logs.")
    return cluster


def _found(read: Callable[[], T], otherwise: str) -> T:
    try:
        return read()
    except FileNotFoundError:
        raise Absent(otherwise) from None
