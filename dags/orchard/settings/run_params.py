"""What one run has chosen: the parameters of the DAG, checked together. ``form`` asks for them."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from orchard.settings.settings import Places, Settings, is_inside
from orchard_jobs.contract import BasisMode, InstructionSet, Precision
from orchard_jobs.errors import OrchardError


@dataclass(frozen=True)
class RunParams:
    """The parameters of one run, checked together. Exactly one of components and variance is set; where the
    basis is reused, they are for the first run, which has none to reuse.
    """

    images: str
    components: int | None
    variance: float | None
    basis: BasisMode
    precision: Precision
    core_nodes: int | None
    max_failure_ratio: float
    cost_ceiling: float | None = None
    recompute: bool = False

    @classmethod
    def parse(cls, params: Mapping[str, Any], settings: Settings) -> Self:
        """Read the parameters of one run.

        Raises:
            OrchardError: where they contradict each other or the settings.
        """
        components, variance = _whole(params, "components"), params["variance"]
        for name, allowed in RANGES.items():
            _refuse_out_of_range(name, params[name], allowed)
        if components is not None and variance is not None:
            raise OrchardError(
                f"components={components} and variance={variance}",
                rule="a run takes one of the two",
                remedy="run again with one of them empty",
            )
        basis = BasisMode(params["basis"])
        _refuse_size_of_reused(basis, components, variance)
        precision = Precision(params["precision"])
        _refuse_bfloat16_by_avx2(precision, settings)
        if components is None and variance is None:
            components = settings.nightly.components
        return cls(
            images=_parse_allowed_images(params["images"], settings.places),
            components=components,
            variance=variance,
            basis=basis,
            precision=precision,
            core_nodes=_whole(params, "core_nodes"),
            max_failure_ratio=params["max_failure_ratio"],
            cost_ceiling=params["cost_ceiling"],
            recompute=params["recompute"],
        )


RANGES: Mapping[str, Mapping[str, Any]] = {
    "components": {"minimum": 1, "maximum": 1280},
    "variance": {"exclusiveMinimum": 0, "maximum": 1},
    "max_failure_ratio": {"minimum": 0, "maximum": 1},
    "cost_ceiling": {"exclusiveMinimum": 0},
}
"""Of numbers, as JSON Schema has them. The form takes them from here, but where it refuses a value Airflow
tells no more than "Bad Request": so they are checked once more, in words."""


def describe_range(name: str) -> str:
    """Return ``from 1 to 1280``, ``above 0 and at most 1`` or ``above 0``."""
    allowed = RANGES[name]
    if "exclusiveMinimum" in allowed:
        above = f"above {allowed['exclusiveMinimum']}"
        return f"{above} and at most {allowed['maximum']}" if "maximum" in allowed else above
    return f"from {allowed['minimum']} to {allowed['maximum']}"


def _refuse_out_of_range(name: str, value: Any, allowed: Mapping[str, float]) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    lowest, above = allowed.get("minimum", -math.inf), allowed.get("exclusiveMinimum", -math.inf)
    # Of nan nothing holds.
    if not is_number or not (lowest <= value <= allowed.get("maximum", math.inf) and value > above):
        raise OrchardError(
            f"{name}={value!r}", rule=f"it takes a number {describe_range(name)}", remedy="run again with one"
        )


def _refuse_size_of_reused(basis: BasisMode, components: int | None, variance: float | None) -> None:
    chosen = components if components is not None else variance
    if basis is BasisMode.REUSE and chosen is not None:
        raise OrchardError(
            f"basis=reuse with {'components' if components is not None else 'variance'}={chosen}",
            rule="a basis that is reused keeps its size",
            remedy="run again with basis=refit, or with both sizes empty",
        )


def _refuse_bfloat16_by_avx2(precision: Precision, settings: Settings) -> None:
    if precision is Precision.BFLOAT16 and settings.spark.instruction_set is InstructionSet.AVX2:
        raise OrchardError(
            "precision=bfloat16 with ORCHARD_INSTRUCTION_SET=avx2",
            rule="AVX2 has no bfloat16",
            remedy="run again with precision=float32, or unset ORCHARD_INSTRUCTION_SET",
        )


def _whole(params: Mapping[str, Any], name: str) -> int | None:
    """Return a parameter as an int: JSON has one kind of number, and 15.0 passes for an integer."""
    value = params[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise OrchardError(f"{name}={value!r}", rule="it takes a whole number", remedy="run again with one")
    return int(value)


def _parse_allowed_images(uri: str, places: Places) -> str:
    """As parse_images; what Airflow may read is more than what a run by hand is to list."""
    given = f"file://{uri}" if uri.startswith("/") else uri
    images, allowed = parse_images(given, places.lake), (places.images, *places.allowed_images)
    if not any(_is_below(images, folder) for folder in allowed):
        raise OrchardError(
            f"images={uri}",
            rule=f"it is one of these, or below one: {', '.join(allowed)}",
            remedy="run again with one of them, or have it added to ORCHARD_ALLOWED_IMAGES",
        )
    return images


def _is_below(images: str, folder: str) -> bool:
    """Whether it is ``folder`` or below it, also to who takes dots, which S3 takes for names, as paths do."""
    dots = {".", ".."} if images.startswith("s3://") else set()
    return is_inside(images, folder) and not dots & set(images.removeprefix(folder).split("/"))


def images_pattern(places: Places) -> str:
    """Return the pattern, of Python and JSON Schema, of the URIs that a run by hand may have for its images.

    Where they are on a disk, ``file://`` may be left out, and links are not looked at: ``RunParams.parse``
    does that.
    """
    folders = "|".join(map(_literally, (places.images, *places.allowed_images)))
    folders = folders.replace(_literally("file://"), f"({_literally('file://')})?")
    below = r"(/(?!\.{1,2}(/|(?![\s\S])))[^\/\x00-\x1f\x7f]*)*"
    return f"^({folders}){below}(?![\\s\\S])"


def _literally(text: str) -> str:
    """As ``re.escape``, which escapes more than JavaScript's patterns take."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)


def parse_images(uri: str, lake: str) -> str:
    """Return the URI of the folder of images, without a slash at its end.

    Raises:
        OrchardError: where the lake is in it, or EMR would change its name.
    """
    images = re.sub("/+$", "", uri)
    if "}}" in images:
        raise OrchardError(
            f"images={uri}",
            rule="a URI has no }}, which EMR removes from the arguments of steps",
            remedy="run again with a folder of another name",
        )
    if is_inside(lake, images):
        raise OrchardError(
            f"images={uri}",
            rule=f"the lake, {lake}, is outside the folder of images, or its files would be taken for images",
            remedy="run again with the folder of the images alone",
        )
    return images
