"""Estimates hours and dollars on a cluster from the results of ``make bench``.

It ignores that a cluster's cores differ from this machine's, time for S3 that does not overlap with
inference, Spot prices and lost nodes.
"""

from collections.abc import Sequence

from benchmarks.lines import Line, Results, notebook_lines, orchard_lines
from orchard.emr.prices import hourly_price
from orchard_jobs.contract import Precision

IMAGES = (10**5, 10**6, 10**7, 10**8)
CORES = (4, 16, 64, 256)
CORES_PER_NODE = 4
CLUSTER_START = 420.0  # seconds from RunJobFlow to the first step: an assumption, EMR guarantees nothing
REGION = "us-east-1"
FAMILY = "m5"  # of the nodes
AMX = ("m7i", "c7i", "r7i")  # Sapphire Rapids: bfloat16 in hardware
OTHERS = ("m5", "m6i", "c5", "c6i", "m6a")


def price(family: str) -> float:
    """Return the dollars per hour of one node, an xlarge of ``family``, with EMR's fee.

    Raises:
        LookupError: if the price is unknown.
    """
    known = hourly_price(f"{family}.xlarge", REGION)
    if known is None:
        raise LookupError(f"no price of {family}.xlarge in {REGION}")
    return known


def estimate(lines: Sequence[Line], images: int, cores: int) -> tuple[float, float]:
    """Return the hours from the request for a cluster to its end, and the dollars."""
    hours = (CLUSTER_START + sum(line.seconds(images, cores) for line in lines)) / 3600
    nodes = 1 + -(-cores // CORES_PER_NODE)  # and the primary node
    return hours, hours * nodes * price(FAMILY)


def format_table(results: Results) -> str:
    """Return hours and dollars of both, by images and cores, as a Markdown table."""
    contenders = (orchard_lines(results), notebook_lines(results))
    lines = ["| images | cores | Orchard | notebook pipeline |", "|---|---|---|---|"]
    for images in IMAGES:
        for cores in CORES:
            cells = (
                f"{h:,.1f} h, {d:,.2f} $" for h, d in (estimate(lines, images, cores) for lines in contenders)
            )
            lines.append(f"| {images:,} | {cores} | {' | '.join(cells)} |")
    return "\n".join(lines)


def format_check(results: Results) -> str:
    """Compare the estimates with the measured runs, by number of cores."""
    lines = [f"| cores, {results.few:,} images | measured | estimated | |", "|---|---|---|---|"]
    for cores in sorted({1, results.cores}):
        measured = results.seconds[f"cores, {cores}"]
        said = sum(line.seconds(results.few, cores) for line in orchard_lines(results))
        lines.append(f"| {cores} | {measured:.0f} s | {said:.0f} s | {said / measured - 1:+.0%} |")
    return "\n".join(lines)


def format_families(results: Results) -> str:
    """Return featurize's images per dollar by family, as if each core were one of this machine."""
    lines = ["| xlarge of | $/h | float32 | bfloat16 |", "|---|---|---|---|"]
    for family in (*AMX, *OTHERS):
        precisions = (Precision.FLOAT32, Precision.BFLOAT16 if family in AMX else None)
        cells = (_per_dollar(results, precision, family) for precision in precisions)
        lines.append(f"| {family} | {price(family):.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def find_rate(results: Results, precision: Precision) -> float | None:
    """Return featurize's images/s with MANY images; None if the precision was not measured.

    bfloat16 only runs on N images. We assume that it saves the same time per image with MANY.
    """
    float32 = results.seconds["featurize float32"]
    if precision is Precision.FLOAT32:
        return float32
    of_both = [f"orchard in one application {each}: featurize" for each in (Precision.FLOAT32, precision)]
    if not all(name in results.seconds for name in of_both):
        return None
    slow, fast = (results.seconds[name] / results.images for name in of_both)
    return 1 / (1 / float32 - (slow - fast))


def _per_dollar(results: Results, precision: Precision | None, family: str) -> str:
    """Return images per dollar; '' if the family does not have the precision, or it was not measured."""
    rate = precision and find_rate(results, precision)
    return f"{rate / results.cores * CORES_PER_NODE * 3600 / price(family):,.0f}" if rate else ""
