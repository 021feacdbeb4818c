"""The checks of a canary, in order, each with the checks it depends on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from canary import cluster_checks, result_checks
from canary.session import Session
from orchard_jobs.errors import OrchardError, first_line
from readiness.finding import Finding, Outcome, failed, skipped

JOBS = ("featurize", "reduce", "export")


@dataclass(frozen=True)
class Check:
    """A check, and the checks that must pass before it can run.

    Args:
        remedy: What to do about an error without a remedy of its own.
    """

    name: str
    run: Callable[[Session], Finding]
    needs: tuple[str, ...] = ()
    remedy: str = (
        "look at the cluster in EMR's console; docs/tutorials/first-night-on-aws.md has a table of symptoms"
    )


def run_checks(session: Session) -> Iterator[Finding]:
    """Run every check whose dependencies have passed; yield each finding as soon as it is known."""
    outcomes: dict[str, Outcome] = {}
    for check in CHECKS:
        missing = [need for need in check.needs if outcomes.get(need) is not Outcome.PASS]
        session.tell(check.name)
        finding = skipped(check.name, f"not reached: {missing[0]}") if missing else _run(check, session)
        outcomes[check.name] = finding.outcome
        yield finding


def _run(check: Check, session: Session) -> Finding:
    try:
        return check.run(session)
    except OrchardError as error:
        return failed(check.name, error.message, error.hint or check.remedy)
    except (ClientError, BotoCoreError) as error:
        return failed(check.name, first_line(error), "`orchard preflight` says which permission is missing")
    except Exception as error:
        return failed(check.name, f"{type(error).__name__}: {first_line(error)}", check.remedy)


CHECKS = (
    Check("images", cluster_checks.check_images),
    Check("creation", cluster_checks.check_creation, ("images",)),
    Check("start", cluster_checks.check_start, ("creation",)),
    Check("featurize", lambda session: cluster_checks.check_step(session, "featurize"), ("start",)),
    Check("reduce", lambda session: cluster_checks.check_step(session, "reduce"), ("featurize",)),
    Check("export", lambda session: cluster_checks.check_step(session, "export"), ("reduce",)),
    Check("publication", result_checks.check_publication, ("export",)),
    Check("run.json", result_checks.check_record, ("publication",)),
    Check("CSV", result_checks.check_csv, ("publication",)),
    Check("network", cluster_checks.check_network, ("start",)),
    Check("end", cluster_checks.check_end, ("creation",)),
    Check("cost record", result_checks.check_cost, ("publication", "end")),
    Check("logs of steps", result_checks.check_step_logs, ("featurize", "end")),
    Check("logs of nodes", result_checks.check_node_logs, ("start", "end")),
    Check("event logs", result_checks.check_event_logs, ("export", "end")),
    Check("idle cluster", cluster_checks.check_idle, ("start", "end")),
)
