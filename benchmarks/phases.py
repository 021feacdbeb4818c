"""Where the time of the jobs goes: each phase's seconds, and the images a core does in one of them."""

from collections.abc import Mapping

OF_ALL_CORES = ("featurize", "statistics", "project")
OF_THE_DRIVER = ("list", "fit", "csv", "rejects", "outcomes")
OF_WORKERS = {"loading the model": "compile the model", "decoding": "decode", "inference": "infer"}
"""Seconds of a core within featurize, by the job's own report, and what the table calls them."""


def to_table(measures: Mapping[str, float], images: int, few: int, cores: int) -> str:
    """Return the phases of the three jobs on ``images``, float32, as a Markdown table.

    The JVM says of none of its work what it was for. But its start falls out between ``few`` images and
    ``images``, and what is left is the way of the rows from the workers to Parquet.
    """
    lines = ["| phase | seconds | on | images/s per core |", "|---|---|---|---|"]
    for phase, name in OF_WORKERS.items():
        lines.append(_line(f"featurize: {name}", measures[f"many: {phase}, workers"], "cores in all", images))
    per_image = (measures["CPU s of the jvm, many"] - measures["CPU s of the jvm, few"]) / (images - few)
    lines.append(_line("featurize: rows to Parquet", per_image * images, "cores in all", images))
    for phase in OF_ALL_CORES:
        seconds = measures[f"many: {phase}"]
        lines.append(_line(phase, seconds, f"{cores} cores", images / cores))
    for phase in OF_THE_DRIVER:
        lines.append(_line(phase, measures[f"many: {phase}"], "one core", images))
    for job in ("featurize", "reduce", "export"):
        lines.append(f"| start-up of {job} | {measures[f'many: start-up of {job}']:.1f} | one core | |")
    return "\n".join(lines)


def _line(name: str, seconds: float, cores: str, images: float) -> str:
    rate = f"{images / seconds:,.0f}" if seconds else ""
    return f"| {name} | {seconds:.1f} | {cores} | {rate} |"
