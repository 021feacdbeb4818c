"""The figures of a published run, as text, for lists and comparisons. Pure.

``run`` is the content of run.json. Figures that an earlier version of Orchard did not record are ``?``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from orchard.report.formats import plural

Run = Mapping[str, Any]
Figure = Callable[[Run], str]

UNKNOWN = "?"
NONE = "–"

LISTED: dict[str, Figure] = {
    "published": lambda run: run["published_at"][:16].replace("T", " "),
    "images": lambda run: f"{run['counts']['listed']:,}",
    "new": lambda run: f"{run['counts']['featurized']:,}",
    "rejected": lambda run: f"{run['counts']['rejected']:,}",
    "K": lambda run: str(run["components"]),
    "variance": lambda run: f"{run['variance_kept']:.1%}",
    "on": lambda run: str(run["cluster"]["id"] or UNKNOWN),
}

PHASES = ("featurize", "reduce", "export")


def show(figure: Figure, run: Run) -> str:
    """Return a run's figure, or ``?`` if its run.json does not have it."""
    try:
        return figure(run)
    except (KeyError, TypeError, ValueError, AttributeError):
        return UNKNOWN


def noise(run: Run) -> str | None:
    """Return a warning if some of the run's components explain no variance; else None."""
    rank, k = run.get("rank"), run["components"]
    if rank is None or rank >= k:
        return None
    # Earlier versions did not record how many images the basis was fitted on.
    images = plural(run["fitted_rows"], "image") if run.get("fitted_rows") else "images"
    if rank == 0:
        return f"No component explains anything: all features of the {images} of the basis are the same"
    which = f"PC{k} explains" if rank == k - 1 else f"PC{rank + 1} to PC{k} explain"
    span = f"{images} of the basis vary in {plural(rank, 'direction')} only"
    return f"{which} nothing: the {span}. Keep {plural(rank, 'component')}, or add images"


def is_local(run: Run) -> bool:
    """Whether a run's cluster was on a local EMR, which is free. Earlier versions did not record this."""
    return bool((run.get("cluster") or {}).get("local"))


def environment(run: Run) -> str:
    """Return where a run was computed: ``EMR emr-spark-8.1.0``, or Spark's master if it had no cluster."""
    release = run["cluster"].get("release")
    emr = "local EMR" if is_local(run) else "EMR"
    return f"{emr} {release}" if release else f"Spark {run['cluster']['id']}"


def seconds(run: Run) -> float:
    """Return the total seconds of the three jobs."""
    return float(sum(value or 0.0 for value in run["seconds"].values()))


def minutes(run: Run) -> str:
    return f"{seconds(run) / 60:.1f}"


def cost(run: Run) -> str:
    """Return the cost of the run's clusters, at list prices; ``–`` if it had none."""
    return _dollars(run, "dollars")


def _count_new(run: Run) -> int:
    return int(run["counts"]["featurized"] + run["counts"]["rejected"])


def _each(run: Run) -> str:
    return _dollars(run, "per_1000_images") if _count_new(run) else NONE


def _dollars(run: Run, name: str) -> str:
    if not run.get("cost"):
        return NONE
    dollars = run["cost"][name]
    if dollars is None:
        return UNKNOWN
    return f"would have cost {dollars:,.4f} $" if is_local(run) else f"{dollars:,.4f} $"


def _instances(run: Run) -> str:
    if not run.get("cost"):
        return NONE
    return f"{run['cost']['instances']}, for {run['cost']['instance_seconds']:,} s in all"


def _start(run: Run) -> str:
    timeline = run["cluster"].get("timeline")
    if not timeline:
        return NONE
    created, ready = (datetime.fromisoformat(timeline[f"{name}DateTime"]) for name in ("Creation", "Ready"))
    return f"{(ready - created).total_seconds():,.1f}"


def _number(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}"


def _job(name: str) -> Figure:
    return lambda run: _number(run["seconds"][name])


def _phases(name: str) -> Figure:
    return lambda run: (
        ", ".join(f"{part} {_number(value)}" for part, value in run["phases"][name].items()) or UNKNOWN
    )


COMPARED: dict[str, Figure] = {
    "environment": environment,
    **LISTED,
    "seconds": lambda run: _number(seconds(run)),
    "images/s": lambda run: _number(run["images_per_second"]) if _count_new(run) else NONE,
    "cost": cost,
    "per 1,000 images": _each,
    "instances": _instances,
    "cluster start s": _start,
    **{f"{job} s": _job(job) for job in PHASES},
    **{f"{job}: parts": _phases(job) for job in PHASES},
    "rows": lambda run: f"{run['rows']:,}",
    "known": lambda run: f"{run['counts']['known']:,}",
    "deleted": lambda run: f"{run['counts']['deleted']:,}",
    "model": lambda run: str(run["model"]["id"]),
    "weights": lambda run: str(run["weights"]),
    "runtime": lambda run: str(run["runtime"]),
    "precision": lambda run: str(run["precision"]),
    "decoding": lambda run: str(run["decoding"]),
    "damaged images": lambda run: str(run.get("damaged_images", "accept")),
    "instruction set": lambda run: str(run["instruction_set"] or NONE),
    "basis": lambda run: f"{run['basis_id']} ({run['basis']})",
    "builds on": lambda run: str(run["builds_on"] or "nothing"),
    "versions": lambda run: ", ".join(f"{name} {version}" for name, version in run["versions"].items()),
    "from": lambda run: str(run["images"]),
    "csv": lambda run: str(run["csv"]),
}
