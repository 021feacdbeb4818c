"""The trigger form: the DAG's parameters, as Airflow shows and validates them."""

from airflow.sdk import Param

from orchard.settings.run_params import RANGES, describe_range, images_pattern
from orchard.settings.settings import Settings
from orchard_jobs.contract import BasisMode, Precision


def params(settings: Settings) -> dict[str, Param]:
    """Return the DAG's parameters."""
    fleet, nightly = settings.fleet, settings.nightly
    return {
        "images": Param(
            settings.places.images,
            title="Images",
            description="URI of a folder of <label>/<image>: the nightly run's, one of "
            "ORCHARD_ALLOWED_IMAGES, or a folder below one of them.",
            type="string",
            pattern=images_pattern(settings.places),
            maxLength=1024,
        ),
        "components": Param(
            None,
            title="Components",
            description=f"Principal components to keep, {describe_range('components')}. Set this or a "
            f"variance, not both; {nightly.components} if both are empty. Without new images, the run refits "
            "them on the stored statistics.",
            type=["null", "integer"],
            **RANGES["components"],
        ),
        "variance": Param(
            None,
            title="Variance",
            description="Instead of components: keep the fewest that explain this share of the variance, "
            f"{describe_range('variance')}, such as 0.9.",
            type=["null", "number"],
            **RANGES["variance"],
        ),
        "basis": Param(
            nightly.basis.value,
            title="Basis",
            description="refit: fit the components on all images. reuse: apply the previous run's components "
            "to the new images, and leave old rows unchanged.",
            type="string",
            enum=[mode.value for mode in BasisMode],
        ),
        "precision": Param(
            nightly.precision.value,
            title="Precision",
            description="Number format of the inference: bfloat16 is faster on some CPUs, but less precise. "
            "Changing it means computing every image again, which you have to allow below.",
            type="string",
            enum=[precision.value for precision in Precision],
        ),
        "recompute": Param(
            False,
            title="Compute images again",
            description="Allow computing images again whose features have another model, precision or "
            "decoding. Otherwise such a run fails before creating a cluster, and reports their number. "
            "Nightly runs always compute them again.",
            type="boolean",
        ),
        "core_nodes": Param(
            fleet.core_nodes,
            title="Cluster size",
            description=f"Core nodes, from 1 to {fleet.max_core_nodes}, besides the primary node. If empty, "
            "derived from the number of new images.",
            type=["null", "integer"],
            minimum=1,
            maximum=fleet.max_core_nodes,
        ),
        "max_failure_ratio": Param(
            nightly.max_failure_ratio,
            title="Failure threshold",
            description=f"Maximum share of rejected images, {describe_range('max_failure_ratio')}; above it "
            "the run fails.",
            type="number",
            **RANGES["max_failure_ratio"],
        ),
        "cost_ceiling": Param(
            settings.cost.cost_ceiling,
            title="Cost ceiling",
            description=f"Maximum estimated cost in dollars, {describe_range('cost_ceiling')}; above it the "
            "run fails before creating a cluster.",
            type=["null", "number"],
            **RANGES["cost_ceiling"],
        ),
    }
