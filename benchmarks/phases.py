"""The phases of the three jobs, which processes work in them, and a table of their times."""

from collections.abc import Mapping

SPREAD = ("featurize", "statistics", "project")
"""Phases that use all cores."""

OF_ONE_CORE = ("csv", "rejects", "outcomes")
"""Phases of export, if it has them."""

SAME_FOR_ANY = ("list", "fit", "start-up of featurize", "start-up of reduce", "start-up of export")
"""Phases with a fixed time on one core. ``list`` is one of them, because images are listed before the cluster
exists."""

OVERLAPPING = "reading"
"""Phases in which a worker's threads only wait: they use no core."""


def format_table(measures: Mapping[str, float], images: int, cores: int) -> str:
    """Return the phases of the three jobs on ``images``, float32, as a Markdown table.

    Within featurize, seconds of a core: the workers' own metrics, and the JVM including its start.
    """
    workers = {
        name.removeprefix("many: ").removesuffix(", workers"): seconds
        for name, seconds in measures.items()
        if name.startswith("many: ") and name.endswith(", workers")
    }
    workers.pop(OVERLAPPING, None)
    workers["the JVM"] = measures["CPU ms per image of the jvm, float32"] * images / 1000
    lines = ["| phase | seconds | on | images/s per core |", "|---|---|---|---|"]
    lines += [
        _line(f"featurize: {name}", seconds, "cores in all", images / seconds)
        for name, seconds in workers.items()
        if seconds
    ]
    for phase in (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY):
        if phase in OF_ONE_CORE and f"many: {phase}" not in measures:
            continue
        seconds = measures[f"many: {phase}"]
        working = cores if phase in SPREAD else 1
        rate = None if phase.startswith("start-up") else images / seconds / working
        lines.append(_line(phase, seconds, f"{working} of {cores}", rate))
    return "\n".join(lines)


def _line(name: str, seconds: float, cores: str, rate: float | None) -> str:
    return f"| {name} | {seconds:.1f} | {cores} | {'' if rate is None else f'{rate:,.0f}'} |"
