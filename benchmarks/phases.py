"""Which phases the three jobs have, who works in each, and the table of where the time goes."""

from collections.abc import Mapping

SPREAD = ("featurize", "statistics", "project")
"""All cores share in these."""

OF_ONE_CORE = ("csv", "rejects", "outcomes")
"""Of export, where it has them."""

SAME_FOR_ANY = ("list", "fit", "start-up of featurize", "start-up of reduce", "start-up of export")
"""Of one core, whatever the number of images. ``list``, too: a night's images are listed before there is a
cluster."""

OVERLAPPING = "reading"
"""What a worker's threads wait for while it works: no seconds of a core."""


def to_table(measures: Mapping[str, float], images: int, cores: int) -> str:
    """Return the phases of the three jobs on ``images``, float32, as a Markdown table.

    Within featurize, seconds of a core: what the workers say of themselves, and the JVM, with its start.
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
