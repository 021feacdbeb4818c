"""The phases of a canary, in seconds. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from canary.clusters import Seen
from orchard.emr.cost_estimate import JOBS_SECONDS

CREATED, READY, ENDED = "CreationDateTime", "ReadyDateTime", "EndDateTime"
BOOT = "start of the cluster"
TERMINATION = "end of the cluster"


@dataclass(frozen=True)
class Phase:
    """A phase and its duration.

    Args:
        source: How the duration is known.
        is_part: Whether it is a part of the phase above.
    """

    name: str
    seconds: float
    source: str
    is_part: bool = False

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def list_boot_phases(cluster: Mapping[str, Any], seen: Seen, name: str = BOOT) -> list[Phase]:
    """Return the start of a cluster and its parts. ``cluster`` is as DescribeCluster returns it."""
    timeline = cluster["Status"]["Timeline"]
    created, ready = timeline[CREATED], timeline[READY]
    phases = [Phase(name, _between(created, ready), "EMR's timeline")]
    bootstrapping = next((at for state, at in seen if state == "BOOTSTRAPPING"), None)
    if bootstrapping is not None and created <= bootstrapping <= ready:
        phases += [
            Phase("EC2 instances (STARTING)", _between(created, bootstrapping), "polling", is_part=True),
            Phase(
                "bootstrap action and Spark (BOOTSTRAPPING)",
                _between(bootstrapping, ready),
                "polling",
                is_part=True,
            ),
        ]
    return phases


def list_step_phases(job: str, step: Mapping[str, Any], seconds: float | None) -> list[Phase]:
    """Return the phases of a step. ``step`` is as DescribeStep returns it, ``seconds`` from the metrics."""
    timeline = step["Status"]["Timeline"]
    waited = Phase(
        f"{job}: before it starts", _between(timeline[CREATED], timeline["StartDateTime"]), "EMR's timeline"
    )
    whole = _between(timeline["StartDateTime"], timeline[ENDED])
    phases = [waited, Phase(f"{job}: the step", whole, "EMR's timeline")]
    if seconds is not None:
        phases += [
            Phase("start of Spark", max(0.0, round(whole - seconds, 1)), "the rest", is_part=True),
            Phase("the job", round(seconds, 1), "its metrics", is_part=True),
        ]
    return phases


def describe_measured(phases: Iterable[Phase], boot_seconds: int) -> list[str]:
    """Return measured values that can replace the assumptions of the cost estimate."""
    taken = {phase.name: phase.seconds for phase in phases}
    said = []
    if BOOT in taken:
        said.append(f"ORCHARD_BOOT_SECONDS={taken[BOOT]:.0f} (the estimate assumes {boot_seconds})")
    steps = [
        seconds for name, seconds in taken.items() if name.endswith((": the step", ": before it starts"))
    ]
    if len(steps) == 6 and TERMINATION in taken:
        measured = sum(steps) + taken[TERMINATION]
        said.append(
            f"{measured:.0f} s for three jobs of few images and the end of the cluster "
            f"(the estimate assumes {JOBS_SECONDS})"
        )
    return said


def _between(begin: datetime, end: datetime) -> float:
    return round((end - begin).total_seconds(), 1)
