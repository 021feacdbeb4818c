"""Which phases the three jobs have, who works in each, and the table of where the time goes."""

from collections.abc import Mapping

SPREAD = ("featurize", "statistics", "project")
"""All cores share in these."""

OF_ONE_CORE = ("csv", "rejects", "outcomes")

SAME_FOR_ANY = ("list", "fit", "start-up of featurize", "start-up of reduce", "start-up of export")
"""Of one core, whatever the number of images. ``list``, too: a night's images are listed before there is a
cluster."""

OF_WORKERS = {"loading the model": "compile the model", "decoding": "decode", "inference": "infer"}
"""Seconds of a core within featurize, by the job's own report, and what the table calls them."""


def to_table(measures: Mapping[str, float], images: int, few: int, cores: int) -> str:
    """Return the phases of the three jobs on ``images``, float32, as a Markdown table.

    The JVM says of none of its work what it was for. But its start falls out between ``few`` images and
    ``images``, and what is left is the way of the rows from the workers to Parquet.
    """
    jvm_few = measures["CPU ms per image of the jvm, few"] * few / 1000
    jvm = measures["CPU ms per image of the jvm, float32"] * images / 1000
    within = {name: measures[f"many: {part}, workers"] for part, name in OF_WORKERS.items()}
    within["rows to Parquet"] = (jvm - jvm_few) / (images - few) * images
    lines = ["| phase | seconds | on | images/s per core |", "|---|---|---|---|"]
    lines += [_line(f"featurize: {name}", s, "cores in all", images / s) for name, s in within.items()]
    for phase in (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY):
        seconds = measures[f"many: {phase}"]
        working = cores if phase in SPREAD else 1
        rate = None if phase.startswith("start-up") else images / seconds / working
        lines.append(_line(phase, seconds, f"{working} of {cores}", rate))
    return "\n".join(lines)


def _line(name: str, seconds: float, cores: str, rate: float | None) -> str:
    return f"| {name} | {seconds:.1f} | {cores} | {'' if rate is None else f'{rate:,.0f}'} |"
