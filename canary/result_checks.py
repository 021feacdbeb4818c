"""Checks of results: run.json, the CSV, the cost record, and the logs of EMR and Spark."""

import csv
import io
import math
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from canary.samples import BROKEN, COUNT
from canary.session import Session
from orchard.emr.actual_cost import cluster_cost, format_bill
from orchard.lake.event_logs import event_log_folder, event_logs_of
from orchard.lake.objects import read_json, to_json
from orchard.publishing.publish import Publication, publish
from orchard_airflow.emr_api import facts_of
from orchard_airflow.log_files import list_folders, read_end
from readiness.finding import Finding, failed, passed

T = TypeVar("T")

GOOD = COUNT - 1
COUNTS = {"listed": COUNT, "featurized": GOOD, "rejected": 1, "known": 0, "deleted": 0}

UPLOAD = "EMR uploads logs every five minutes and when a cluster ends"


def check_publication(session: Session) -> Finding:
    """Publish as the DAG does, in the canary's own lake."""
    plan = session.plan
    states = [{"state": state, "at": at.isoformat(timespec="seconds")} for state, at in session.seen]
    publication = Publication(
        slug=plan.slug,
        run_id=plan.name,
        sensed=session.read_sensed(),
        cluster={**facts_of(session.cluster), "states": states, "local": session.is_local},
        cost=cluster_cost(plan.tags, COUNT, plan.own),
        dag_id=None,
    )
    session.record = publish(session.storage, plan.lake, publication)
    return passed("publication", "published; the DAG's checks of the nodes' files passed")


def check_record(session: Session) -> Finding:
    """Read run.json back, and compare its counts with the sample images."""
    record = read_json(session.storage, session.plan.jobs.folder.run_json)
    counts = record["counts"]
    if counts != COUNTS or record["rejected"] != {"corrupt": 1}:
        found = f"counts {counts}, rejected {record['rejected']}"
        return failed(
            "run.json", found, f"expected {COUNTS} and one corrupt image: keep the logs, and report a bug"
        )
    return passed("run.json", f"{GOOD} images featurized, {BROKEN} rejected as corrupt")


def check_csv(session: Session) -> Finding:
    """Read every cell of the CSV."""
    record = session.read_record()
    text = session.storage.read(record["csv"]).data.decode()
    header, *rows = csv.reader(io.StringIO(text))
    names = ["path", "label", *(f"pc{n}" for n in range(1, record["components"] + 1))]
    remedy = f"the metrics say {record['rows']} rows: read the log of the step export"
    if header != names:
        return failed("CSV", f"the header is {','.join(header)} instead of {','.join(names)}", remedy)
    if len(rows) != GOOD or len({row[0] for row in rows}) != GOOD:
        return failed(
            "CSV", f"{len(rows)} rows of {len({row[0] for row in rows})} images, not {GOOD}", remedy
        )
    wrong = [row[0] for row in rows if not all(map(_is_number, row[2:])) or len(row) != len(names)]
    if wrong:
        return failed("CSV", f"{len(wrong)} rows have cells that are not numbers, such as {wrong[0]}", remedy)
    return passed("CSV", f"{len(rows)} rows of {record['components']} components, all of them numbers")


def check_cost(session: Session) -> Finding:
    """Write the cost record as the DAG does after the cluster's end, and read it back."""
    plan, folder = session.plan, session.plan.jobs.folder
    cost = cluster_cost(plan.tags, COUNT, plan.own)
    remedy = "allow yourself elasticmapreduce:ListInstances on clusters of the lake"
    if cost is None:
        return failed("cost record", "EMR does not list the cluster's instances", remedy)
    session.storage.write(folder.cost, to_json(cost))
    session.costs["first cluster"] = cost
    read = read_json(session.storage, folder.cost)
    if not read["instances"] or not read["instance_seconds"]:
        return failed("cost record", "it has no instances", remedy)
    return passed("cost record", format_bill(read))


def check_step_logs(session: Session) -> Finding:
    """Look for the logs of each step."""
    hook = session.plan.own.access.hook
    missing, empty = [], []
    for name, step in session.steps.items():
        folder = f"{session.logs}/{session.cluster_id}/steps/{step['Id']}"
        for output in ("controller", "stderr", "stdout"):
            text = _wait_for(session, partial(read_end, f"{folder}/{output}", hook))
            if text is None:
                missing.append(f"{name}/{output}")
            elif output == "controller" and not text.strip():
                empty.append(f"{name}/{output}")
    where = f"{session.logs}/{session.cluster_id}/steps/"
    if missing or empty:
        found = f"missing: {', '.join(missing) or 'none'}; empty: {', '.join(empty) or 'none'}"
        return failed("logs of steps", f"{found}, in {where}", f"{UPLOAD}: check that nodes may write there")
    return passed("logs of steps", f"controller, stderr and stdout of {len(session.steps)} steps")


def check_node_logs(session: Session) -> Finding:
    """Look for the log of the bootstrap action, which says where Python came from."""
    hook, folder = session.plan.own.access.hook, f"{session.logs}/{session.cluster_id}/node"

    def find() -> list[str] | None:
        uris = [f"{folder}/{node}/bootstrap-actions/1/stdout" for node in list_folders(folder, hook)]
        return [text for text in (read_end(uri, hook) for uri in uris) if text is not None] or None

    texts = _wait_for(session, find)
    if texts is None:
        remedy = f"{UPLOAD}: check that nodes may write there"
        return failed("logs of nodes", f"no log of the bootstrap action in {folder}/", remedy)
    said = next((line for text in texts for line in text.splitlines() if "python3.11" in line), "")
    found = said or "Python 3.11 was already installed"
    return passed("logs of nodes", f"bootstrap action of {len(texts)} nodes; {found}")


def check_event_logs(session: Session) -> Finding:
    """Look for the event logs of the three Spark applications."""
    slug, storage = session.plan.slug, session.log_storage

    def find() -> list[str] | None:
        found = event_logs_of(slug, session.logs, storage, session.event_logs)
        return found if len(found) >= len(session.steps) else None

    if (found := _wait_for(session, find)) is None:
        folder = event_log_folder(session.logs)
        remedy = "check in a step's log whether the node role may get, put and delete objects there"
        return failed("event logs", f"fewer than {len(session.steps)} of this run in {folder}/", remedy)
    return passed("event logs", f"{len(found)} applications")


def _wait_for(session: Session, look: Callable[[], T | None]) -> T | None:
    """Poll until there is a result, for at most as long as a task waits for a log."""
    deadline = time.monotonic() + session.plan.own.waits.log_timeout
    while (found := look()) is None and time.monotonic() < deadline:
        time.sleep(session.clusters.poll)
    return found


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False
