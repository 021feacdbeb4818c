"""XComs of a run's earlier tasks, validated against its parameters and the settings.

Users who can edit XComs through Airflow's API must not be able to choose which code runs, on which data, or
where it writes. The operators check cluster ids against EMR's tags.
"""

import re
from typing import Any, NotRequired

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from orchard.lake.layout import is_slug
from orchard.lake.run_index import RunIndex
from orchard.lake.sensed import Sensed
from orchard.settings.feature_spec import FeatureSpec
from orchard.settings.run_params import RunParams
from orchard.settings.settings import Places
from orchard_jobs.errors import OrchardError, first_line

REVISION = re.compile(r"[0-9a-f]{12}")
"""The folder names that `make deploy` and `make model` give to code revisions and model artefacts."""


class ClusterFacts(TypedDict):
    """What ``create_cluster`` recorded about its cluster."""

    id: str | None
    release: str | None
    states: list[dict[str, str]] | None
    timeline: dict[str, str] | None
    local: NotRequired[bool]
    """Whether it runs on a local EMR, which is free."""


_SENSED: TypeAdapter[Sensed] = TypeAdapter(Sensed)
_FACTS: TypeAdapter[ClusterFacts] = TypeAdapter(ClusterFacts)
NO_FACTS = ClusterFacts(id=None, release=None, states=None, timeline=None)


def read_sensed(value: Any, params: RunParams, places: Places) -> Sensed:
    """Return the value of the task ``sense``.

    Raises:
        OrchardError: if this run's ``sense`` cannot have returned it.
    """
    sensed: Sensed = _parse(_SENSED, "sense", value)
    try:
        spec = FeatureSpec.from_json(sensed["feature_spec"])
    except (TypeError, ValueError) as error:
        raise _changed("sense", f"feature_spec={sensed['feature_spec']}", first_line(error)) from None
    slugs = [sensed["builds_on"], sensed["predecessor"]]
    code, model = sensed["code"], sensed["model"]
    for holds, given, rule in (
        (
            sensed["images"] == params.images,
            f"images={sensed['images']}",
            f"the run's images are {params.images}",
        ),
        (
            spec.precision is params.precision,
            f"precision={spec.precision}",
            f"the run's precision is {params.precision}",
        ),
        (_is_revision_of(code, places.code), f"code={code}", f"the settings name {places.code}"),
        (_is_revision_of(model, places.model), f"model={model}", f"the settings name {places.model}"),
        (all(slug is None or is_slug(slug) for slug in slugs), f"runs {slugs}", "they must be run names"),
    ):
        if not holds:
            raise _changed("sense", given, rule)
    return sensed


def validate_base_run(sensed: Sensed, index: RunIndex) -> None:
    """Check that ``builds_on`` is a run that ``sense`` can have found: its rows become part of this run.

    If another run was published meanwhile, the newest run at the time is unknown; but then this run is not
    published.

    Raises:
        OrchardError: if it has other images or another spec, is not published, or is not the newest.
    """
    images, spec, found = sensed["images"], FeatureSpec.from_json(sensed["feature_spec"]), sensed["builds_on"]
    newest = index.builds_on(images, spec)
    if index.latest == sensed["predecessor"]:
        holds = found == newest
    else:
        holds = found is None or any(run.run == found and run.matches(images, spec) for run in index.runs)
    if not holds:
        rule = f"the newest published run with the same images, model and feature settings is {newest}"
        raise _changed("sense", f"builds_on={found}", rule)


def read_cluster_facts(value: Any) -> ClusterFacts:
    """Return what ``create_cluster`` recorded about its cluster; NO_FACTS if it recorded nothing.

    Raises:
        OrchardError: if it cannot have recorded that.
    """
    facts: ClusterFacts = NO_FACTS if value is None else _parse(_FACTS, "create_cluster", value)
    return facts


def _parse(adapter: TypeAdapter[Any], task: str, value: Any) -> Any:
    try:
        return adapter.validate_python(value, strict=True)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, wrong["loc"])) or "value"
        raise _changed(task, f"its {place}", wrong["msg"]) from None


def _is_revision_of(uri: str, place: str) -> bool:
    """Whether ``uri`` is the one in the settings, or that of an earlier or later deployment beside it."""
    folder, _, name = uri.rpartition("/")
    here, _, named = place.rpartition("/")
    is_sibling = folder == here and REVISION.fullmatch(name) and REVISION.fullmatch(named)
    return uri == place or bool(is_sibling)


def _changed(task: str, received: str, rule: str) -> OrchardError:
    return OrchardError(
        f"the XCom of {task}: {received}",
        rule=rule,
        remedy=f"the settings or the XCom have changed: clear {task} with its downstream tasks",
    )
