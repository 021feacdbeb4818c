"""The parameters of one DAG run, validated together. ``workflow.trigger_form`` declares the form."""

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
    """The parameters of one run. Exactly one of components and variance is set; if the basis is reused, they
    apply only to a first run, which has no basis to reuse.
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
        """Parse the parameters of one run.

        Raises:
            OrchardError: if they contradict each other or the settings.
        """
        components, variance = _parse_integer(params, "components"), params["variance"]
        for name, allowed in RANGES.items():
            _validate_range(name, params[name], allowed)
        if components is not None and variance is not None:
            raise OrchardError(
                f"components={components} and variance={variance}",
                rule="set only one of the two",
                remedy="trigger the run again with one of them empty",
            )
        basis = BasisMode(params["basis"])
        _validate_reuse(basis, components, variance)
        precision = Precision(params["precision"])
        _validate_instruction_set(precision, settings)
        if components is None and variance is None:
            components = settings.nightly.components
        return cls(
            images=_parse_allowed_images(params["images"], settings.places),
            components=components,
            variance=variance,
            basis=basis,
            precision=precision,
            core_nodes=_parse_integer(params, "core_nodes"),
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
"""Allowed ranges, as JSON Schema keywords. The form uses them too, but Airflow answers an invalid value with
"Bad Request" only: so they are checked again, with a clear error."""


def describe_range(name: str) -> str:
    """Return ``from 1 to 1280``, ``above 0 and at most 1`` or ``above 0``."""
    allowed = RANGES[name]
    if "exclusiveMinimum" in allowed:
        above = f"above {allowed['exclusiveMinimum']}"
        return f"{above} and at most {allowed['maximum']}" if "maximum" in allowed else above
    return f"from {allowed['minimum']} to {allowed['maximum']}"


def _validate_range(name: str, value: Any, allowed: Mapping[str, float]) -> None:
    if value is None:
        return
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    lowest, above = allowed.get("minimum", -math.inf), allowed.get("exclusiveMinimum", -math.inf)
    # Every comparison with nan is false.
    if not is_number or not (lowest <= value <= allowed.get("maximum", math.inf) and value > above):
        raise OrchardError(
            f"{name}={value!r}",
            rule=f"it must be a number {describe_range(name)}",
            remedy="trigger the run again with one",
        )


def _validate_reuse(basis: BasisMode, components: int | None, variance: float | None) -> None:
    chosen = components if components is not None else variance
    if basis is BasisMode.REUSE and chosen is not None:
        raise OrchardError(
            f"basis=reuse with {'components' if components is not None else 'variance'}={chosen}",
            rule="a reused basis keeps its number of components",
            remedy="trigger the run again with basis=refit, or with components and variance empty",
        )


def _validate_instruction_set(precision: Precision, settings: Settings) -> None:
    if precision is Precision.BFLOAT16 and settings.spark.instruction_set is InstructionSet.AVX2:
        raise OrchardError(
            "precision=bfloat16 with ORCHARD_INSTRUCTION_SET=avx2",
            rule="AVX2 has no bfloat16",
            remedy="trigger the run again with precision=float32, or unset ORCHARD_INSTRUCTION_SET",
        )


def _parse_integer(params: Mapping[str, Any], name: str) -> int | None:
    """Return a parameter as an int: JSON has a single number type, in which 15.0 is an integer."""
    value = params[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not float(value).is_integer():
        raise OrchardError(
            f"{name}={value!r}", rule="it must be an integer", remedy="trigger the run again with one"
        )
    return int(value)


def _parse_allowed_images(uri: str, places: Places) -> str:
    """Like ``parse_images``, but only for allowed folders: Airflow may read more than a user should list."""
    given = f"file://{uri}" if uri.startswith("/") else uri
    images, allowed = parse_images(given, places.lake), (places.images, *places.allowed_images)
    if not any(_is_below(images, folder) for folder in allowed):
        raise OrchardError(
            f"images={uri}",
            rule=f"it must be one of these folders, or below one: {', '.join(allowed)}",
            remedy="trigger the run again with one of them, or add yours to ORCHARD_ALLOWED_IMAGES",
        )
    return images


def _is_below(images: str, folder: str) -> bool:
    """Whether ``images`` is ``folder`` or below it, without ``.`` or ``..`` in an S3 URI: plain names to S3,
    but other readers may resolve them like paths.
    """
    dots = {".", ".."} if images.startswith("s3://") else set()
    return is_inside(images, folder) and not dots & set(images.removeprefix(folder).split("/"))


def images_pattern(places: Places) -> str:
    """Return a regular expression for the image URIs of a manual run, valid in Python and JSON Schema.

    For local folders ``file://`` is optional. Links are not resolved here, but in ``RunParams.parse``.
    """
    folders = "|".join(map(_escape_pattern, (places.images, *places.allowed_images)))
    folders = folders.replace(_escape_pattern("file://"), f"({_escape_pattern('file://')})?")
    below = r"(/(?!\.{1,2}(/|(?![\s\S])))[^\/\x00-\x1f\x7f]*)*"
    return f"^({folders}){below}(?![\\s\\S])"


def _escape_pattern(text: str) -> str:
    """Like ``re.escape``, which escapes more than JavaScript's patterns allow."""
    return re.sub(r"[\\^$.*+?()\[\]{}|/]", r"\\\g<0>", text)


def parse_images(uri: str, lake: str) -> str:
    """Return the URI of the image folder, without a trailing slash.

    Raises:
        OrchardError: if the lake is inside it, or EMR would change the URI.
    """
    images = re.sub("/+$", "", uri)
    if "}}" in images:
        raise OrchardError(
            f"images={uri}",
            rule="a URI must not contain }}, which EMR removes from step arguments",
            remedy="rename the folder",
        )
    if is_inside(lake, images):
        raise OrchardError(
            f"images={uri}",
            rule=f"the lake, {lake}, must be outside the image folder, or its files would count as images",
            remedy="trigger the run again with a folder that contains only images",
        )
    return images
