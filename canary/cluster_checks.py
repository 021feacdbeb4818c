"""Checks of clusters: a small nightly run with its steps, and an idle cluster that EMR must terminate."""

from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from canary.phases import ENDED, READY, TERMINATION, Phase, list_boot_phases, list_step_phases
from canary.plan import IDLE_TIMEOUT
from canary.samples import COUNT, draw_samples
from canary.session import Session
from orchard.emr.actual_cost import cluster_cost
from orchard.emr.steps import build_step
from orchard.lake.event_logs import event_log_folder
from orchard.lake.objects import read_json
from orchard.sensing.sense import sense
from orchard_airflow.emr_api import ENDED_STATES, READY_STATES, describe_end, describe_failure
from orchard_airflow.step_logs import last_lines
from orchard_jobs.contract import Job
from orchard_jobs.errors import first_line
from readiness.finding import Finding, failed, passed, skipped

LONGEST_STEP = 1800
"""Seconds; 20 images take about a minute."""

IDLE = "idle cluster"

BY_HAND = "Terminated by user request"
"""EMR's reason if a user terminated the cluster."""


def check_images(session: Session) -> Finding:
    """Write the sample images where the cluster can read them, and sense them as the DAG does."""
    plan, places = session.plan, session.plan.own.places
    for name, data in draw_samples().items():
        session.storage.write(f"{places.images}/{name}", data)
    session.sensed = sense(plan.slug, plan.params, plan.own, by_hand=True)
    listed, new = session.sensed["listed"], session.sensed["new"]
    if (listed, new) != (COUNT, COUNT):
        remedy = f"check {places.images}: something else writes or deletes there"
        return failed("images", f"{listed} listed and {new} new of {COUNT}", remedy)
    return passed("images", f"{COUNT} written and listed")


def check_creation(session: Session) -> Finding:
    """Create the cluster as the DAG does."""
    _look_before(session)
    session.cluster_id = session.clusters.create(session.plan.request(), session.plan.tags)
    return passed("creation", f"{session.cluster_id}, with an idle timeout and its tags")


def check_start(session: Session) -> Finding:
    """Wait until the cluster is ready for steps."""
    timeout = session.plan.own.waits.start_timeout
    cluster, seen = session.clusters.watch(session.cluster_id, READY_STATES, timeout, session.tell)
    session.cluster, session.seen = cluster, seen
    state = cluster["Status"]["State"]
    if state in READY_STATES:
        session.phases += list_boot_phases(cluster, seen)
        return passed("start", f"ready after {session.phases[0].seconds:.0f} s")
    where = f"it was {', then '.join(name for name, _ in seen)}"
    if state in ENDED_STATES:
        remedy = "fix what EMR names; `orchard preflight` checks for the usual reasons"
        return failed("start", f"{describe_end(cluster)} ({where})", remedy)
    remedy = (
        "in STARTING, EC2 has no instances, or the nodes cannot reach EMR: check quotas and endpoints; in "
        f"BOOTSTRAPPING, read {session.logs}/{session.cluster_id}/node/"
    )
    return failed("start", f"not ready within {timeout} s: {where}", remedy)


def check_step(session: Session, name: str) -> Finding:
    """Run one of the DAG's steps."""
    plan = session.plan
    code, mode = session.read_sensed()["code"], plan.own.spark.deploy_mode
    step_of_dag = build_step(_find_job(session, name), plan.slug, code, mode)
    timeout = min(plan.own.waits.step_timeout, LONGEST_STEP)
    step = session.clusters.run_step(session.cluster_id, step_of_dag, timeout)
    session.steps[name] = step
    state = step["Status"]["State"]
    if state == "COMPLETED":
        metrics = read_json(session.storage, plan.jobs.folder.metrics(name))
        session.phases += list_step_phases(name, step, metrics.get("seconds"))
        return passed(name, f"{step['Id']} completed, the job in {metrics.get('seconds', 0):.1f} s")
    if state in ("PENDING", "RUNNING", "CANCEL_PENDING"):
        return failed(
            name, f"step {step['Id']} is {state} after {timeout} s", "read its log in EMR's console"
        )
    uri = f"{session.logs}/{session.cluster_id}/steps/{step['Id']}"
    said = _find_last_words(session, step)
    return failed(name, f"{describe_failure(step)}{said}", f"read {uri}/stdout.gz and stderr.gz")


def check_network(session: Session) -> Finding:
    """Check whether EMR added anything to the network of the settings."""
    if not session.network.is_given:
        return skipped(
            "network", "ORCHARD_SUBNETS and ORCHARD_SECURITY_GROUPS are not set: nothing to compare"
        )
    if session.before is None:
        return skipped("network", "its state before is unknown", "allow yourself ec2:Describe*")
    try:
        added = session.network.look().describe_changes(session.before)
    except (ClientError, BotoCoreError) as error:
        return skipped("network", f"EC2 cannot be read: {first_line(error)}", "allow yourself ec2:Describe*")
    if added:
        remedy = "the stack cannot delete what EMR created: report it, and delete it by hand"
        return failed("network", f"EMR has added {added}", remedy)
    return passed("network", "no endpoint and no rule was added")


def check_end(session: Session) -> Finding:
    """Terminate the cluster as the DAG does, and wait for its end."""
    if session.cluster and session.cluster["Status"]["State"] in ENDED_STATES:
        return skipped("end", "it has already ended by itself")
    session.clusters.terminate(session.cluster_id)
    timeout = session.plan.own.waits.terminate_timeout
    cluster, seen = session.clusters.watch(session.cluster_id, ENDED_STATES, timeout, session.tell)
    if cluster["Status"]["State"] != "TERMINATED":
        remedy = "check it in EMR's console, and terminate it there"
        return failed("end", describe_end(cluster), remedy)
    ended = cluster["Status"]["Timeline"]["EndDateTime"]
    seconds = max(0.0, round((ended - seen[0][1]).total_seconds(), 1))
    session.phases.append(Phase(TERMINATION, seconds, "EMR's timeline"))
    return passed("end", f"ended after {seconds:.0f} s")


def check_idle(session: Session) -> Finding:
    """Create a cluster without steps, and wait until EMR terminates it."""
    plan, clusters = session.plan, session.clusters
    cluster_id = clusters.create(plan.idle_request(), plan.idle_tags)
    timeout = plan.own.waits.start_timeout
    cluster, seen = clusters.watch(cluster_id, READY_STATES, timeout, session.tell)
    if cluster["Status"]["State"] not in READY_STATES:
        remedy = "the first cluster did start: check this one in EMR's console"
        return failed(IDLE, f"not ready: {describe_end(cluster)}", remedy)
    session.phases += list_boot_phases(cluster, seen, "start of the idle cluster")
    cluster, _ = clusters.watch(cluster_id, ENDED_STATES, plan.idle_wait, session.tell)
    if cost := cluster_cost(plan.idle_tags, 0, plan.own):
        session.costs["idle cluster"] = cost
    if cluster["Status"]["State"] in ENDED_STATES:
        return _judge_end(session, cluster)
    remedy = (
        "EMR did not terminate it, so the canary does. Until this is fixed, only the DAG, its sweeper and "
        "infra/watch.yaml terminate a forgotten cluster; check whether the nodes can reach EMR"
    )
    found = f"{cluster_id} is {cluster['Status']['State']} {plan.idle_wait:.0f} s after it was ready"
    return failed(IDLE, f"{found}, with an idle timeout of {IDLE_TIMEOUT} s", remedy)


def _look_before(session: Session) -> None:
    """Record the state before there is a cluster."""
    folder = event_log_folder(session.logs)
    session.event_logs = frozenset(session.log_storage.folders(folder))
    if session.network.is_given:
        try:
            session.before = session.network.look()
        except (ClientError, BotoCoreError) as error:
            session.tell(f"EC2 cannot be read: {first_line(error)}")


def _find_job(session: Session, name: str) -> Job:
    jobs, sensed = session.plan.jobs, session.read_sensed()
    return {"featurize": jobs.featurize, "reduce": jobs.reduce, "export": jobs.export}[name](sensed)


def _find_last_words(session: Session, step: dict[str, object]) -> str:
    """Return the last line of a failed step's output."""
    plan = session.plan
    said = last_lines(
        f"{session.logs}/",
        session.cluster_id,
        step,
        timeout=plan.own.waits.log_timeout,
        hook=plan.own.access.hook,
    )
    return f"; its log ends: {said.strip().splitlines()[-1]}"


def _judge_end(session: Session, cluster: dict[str, Any]) -> Finding:
    status = cluster["Status"]
    reason = status.get("StateChangeReason", {}).get("Message", "")
    if status["State"] != "TERMINATED":
        return failed(IDLE, describe_end(cluster), "fix what EMR names")
    if reason == BY_HAND:
        found = f"someone terminated {cluster['Id']}: {reason}"
        return skipped(
            IDLE, found, "find out who or what terminates clusters of the lake, and run the canary again"
        )
    timeline = status["Timeline"]
    seconds = round((timeline[ENDED] - timeline[READY]).total_seconds(), 1)
    session.phases.append(Phase("idle, until EMR terminated it", seconds, "EMR's timeline"))
    return passed(IDLE, f"EMR terminated {cluster['Id']} {seconds:.0f} s after it was ready: {reason}")
