"""How long, and for how much, on a cluster of so many cores: an estimate from what ``make bench`` measured.

    python -m benchmarks.sizing benchmarks/results.json

Not in it: that cores of a cluster are not those of this machine, S3 beyond what overlaps with inference,
Spot, lost nodes. Prints the phases that it is made of, the estimate, what it says of runs on one core and
on all cores that were measured too, and images per dollar by family of instances.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import phases
from benchmarks.lines import Line, Results, notebook_lines, orchard_lines
from orchard.emr.prices import hourly_price

IMAGES = (10**5, 10**6, 10**7, 10**8)
CORES = (4, 16, 64, 256)
CORES_PER_NODE = 4
CLUSTER_START = 420.0  # seconds from RunJobFlow to the first step: an assumption, EMR promises none
REGION = "us-east-1"
FAMILY = "m5"  # of the nodes
AMX = ("m7i", "c7i", "r7i")  # Sapphire Rapids: bfloat16 in hardware
OTHERS = ("m5", "m6i", "c5", "c6i", "m6a")


def price(family: str) -> float:
    """Return dollars an hour of one node, an xlarge of ``family``, with EMR's fee.

    Raises:
        LookupError: where nobody knows.
    """
    known = hourly_price(f"{family}.xlarge", REGION)
    if known is None:
        raise LookupError(f"no price of {family}.xlarge in {REGION}")
    return known


def estimate(lines: Sequence[Line], images: int, cores: int) -> tuple[float, float]:
    """Return hours, from the request for a cluster to its end, and dollars."""
    hours = (CLUSTER_START + sum(line.seconds(images, cores) for line in lines)) / 3600
    nodes = 1 + -(-cores // CORES_PER_NODE)  # and the primary one
    return hours, hours * nodes * price(FAMILY)


def to_table(results: Results) -> str:
    """Return hours and dollars of both, by images and cores, as a Markdown table."""
    sides = (orchard_lines(results), notebook_lines(results))
    lines = ["| images | cores | Orchard | notebook pipeline |", "|---|---|---|---|"]
    for images in IMAGES:
        for cores in CORES:
            cells = (f"{h:,.1f} h, {d:,.2f} $" for h, d in (estimate(side, images, cores) for side in sides))
            lines.append(f"| {images:,} | {cores} | {' | '.join(cells)} |")
    return "\n".join(lines)


def to_further_image(results: Results) -> str:
    """Return what one more image takes here, where it is one of many."""
    notebook, orchard = (
        1000 * sum(line.per_image / (results.cores if line.spread else 1) for line in lines)
        for lines in (notebook_lines(results), orchard_lines(results))
    )
    return (
        f"Each further image takes {notebook:.1f} ms by the notebook pipeline and "
        f"{orchard:.1f} ms by Orchard, on {results.cores} cores: {notebook / orchard:.2f} times as long."
    )


def to_check(results: Results) -> str:
    """Return what the lines say of the measured runs by cores, and what these took."""
    lines = [f"| cores, {results.few:,} images | measured | by the lines | |", "|---|---|---|---|"]
    for cores in sorted({1, results.cores}):
        measured = results.seconds[f"cores, {cores}"]
        said = sum(line.seconds(results.few, cores) for line in orchard_lines(results))
        lines.append(f"| {cores} | {measured:.0f} s | {said:.0f} s | {said / measured - 1:+.0%} |")
    return "\n".join(lines)


def to_advice(results: Results) -> str:
    """Return images per dollar of featurize by family, as if each core were one of this machine."""
    lines = ["| xlarge of | $/h | float32 | bfloat16 |", "|---|---|---|---|"]
    for family in (*AMX, *OTHERS):
        precisions = ("float32", "bfloat16" if family in AMX else None)
        cells = (_per_dollar(results, precision, family) for precision in precisions)
        lines.append(f"| {family} | {price(family):.3f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _per_dollar(results: Results, precision: str | None, family: str) -> str:
    """Empty where the precision is none of the family's, or was not measured here."""
    rate = results.seconds.get(f"featurize {precision}")
    return f"{rate / results.cores * CORES_PER_NODE * 3600 / price(family):,.0f}" if rate else ""


def tell(results: Results) -> str:
    return "\n\n".join(
        (
            phases.to_table(results.seconds, results.many, results.few, results.cores),
            to_table(results),
            to_further_image(results),
            to_check(results),
            f"Images per dollar, featurize alone, {REGION}, with EMR's fee:",
            to_advice(results),
        )
    )


def main(tokens: list[str]) -> int:
    results = Results.from_json(Path(tokens[0]).read_bytes())
    if results.many <= results.images:
        print("orchard: results of one number of images; a line needs two: MANY above N", file=sys.stderr)
        return 2
    try:
        print(tell(results))
    except KeyError as missing:
        print(f"orchard: {tokens[0]} has no {missing}: measure all parts, make bench", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
