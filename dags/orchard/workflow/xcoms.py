"""What earlier tasks of a run have pushed, believed as far as its parameters and the settings bear it out.

Whoever may write XComs, as an editor may by Airflow's API, must not choose which code runs, on what, or where
it is written. Cluster ids are checked by the operators, against EMR's tags.
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
"""What `make deploy` and `make model` call a revision of the code, and a model artefact."""


class ClusterFacts(TypedDict):
    """What ``create_cluster`` noted of its cluster, for people to read."""

    id: str | None
    release: str | None
    states: list[dict[str, str]] | None
    timeline: dict[str, str] | None
    local: NotRequired[bool]
    """Of a local EMR, which bills nothing."""


_SENSED: TypeAdapter[Sensed] = TypeAdapter(Sensed)
_FACTS: TypeAdapter[ClusterFacts] = TypeAdapter(ClusterFacts)
NO_FACTS = ClusterFacts(id=None, release=None, states=None, timeline=None)


def read_sensed(value: Any, params: RunParams, places: Places) -> Sensed:
    """Return the value of the task ``sense``.

    Raises:
        OrchardError: where ``sense`` of this run cannot have returned it.
    """
    sensed: Sensed = _parse(_SENSED, "sense", value)
    try:
        spec = FeatureSpec.from_json(sensed["feature_spec"])
    except (TypeError, ValueError) as error:
        raise _changed("sense", f"feature_spec={sensed['feature_spec']}", first_line(error)) from None
    slugs = [sensed["builds_on"], sensed["predecessor"]]
    code, model = sensed["code"], sensed["model"]
    for holds, given, rule in (
        (sensed["images"] == params.images, f"images={sensed['images']}", f"the run is of {params.images}"),
        (
            spec.precision is params.precision,
            f"precision={spec.precision}",
            f"the run has {params.precision}",
        ),
        (_is_revision_of(code, places.code), f"code={code}", f"the settings name {places.code}"),
        (_is_revision_of(model, places.model), f"model={model}", f"the settings name {places.model}"),
        (all(slug is None or is_slug(slug) for slug in slugs), f"runs {slugs}", "they are names of runs"),
    ):
        if not holds:
            raise _changed("sense", given, rule)
    return sensed


def validate_base_run(sensed: Sensed, index: RunIndex) -> None:
    """Refuse to continue another run than ``sense`` can have found, whose results would become this run's.

    Where another run has been published since, the newest is no longer known to be what was found; but then
    this one is not published.

    Raises:
        OrchardError: where it is of other images or another spec, is not published, or is not the newest.
    """
    images, spec, found = sensed["images"], FeatureSpec.from_json(sensed["feature_spec"]), sensed["builds_on"]
    newest = index.builds_on(images, spec)
    if index.latest == sensed["predecessor"]:
        holds = found == newest
    else:
        holds = found is None or any(run.run == found and run.matches(images, spec) for run in index.runs)
    if not holds:
        rule = (
            f"of the published runs with its images, model and settings of features, the newest is {newest}"
        )
        raise _changed("sense", f"builds_on={found}", rule)


def read_cluster_facts(value: Any) -> ClusterFacts:
    """Return what ``create_cluster`` noted of its cluster; nothing where it noted nothing.

    Raises:
        OrchardError: where it cannot have noted that.
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
    """Whether a URI is the place of the settings, or what an earlier or a later deployment put beside it."""
    folder, _, name = uri.rpartition("/")
    here, _, named = place.rpartition("/")
    is_sibling = folder == here and REVISION.fullmatch(name) and REVISION.fullmatch(named)
    return uri == place or bool(is_sibling)


def _changed(task: str, received: str, rule: str) -> OrchardError:
    return OrchardError(
        f"the XCom of {task}: {received}",
        rule=rule,
        remedy=f"the settings or the XCom have changed since: clear {task} and what follows it",
    )
