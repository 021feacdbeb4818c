"""The form of a run by hand: the DAG's parameters, as Airflow shows and checks them."""

from airflow.sdk import Param

from orchard.settings.run_params import RANGES, describe_range, images_pattern
from orchard.settings.settings import Settings
from orchard_jobs.contract import BasisMode, Precision


def params(settings: Settings) -> dict[str, Param]:
    """Return the parameters of a run, as Airflow's form shows and checks them."""
    fleet, nightly = settings.fleet, settings.nightly
    return {
        "images": Param(
            settings.places.images,
            title="Images",
            description="URI of the folder of <label>/<image>: that of the nightly run, or one below it or "
            "of ORCHARD_ALLOWED_IMAGES.",
            type="string",
            pattern=images_pattern(settings.places),
            maxLength=1024,
        ),
        "components": Param(
            None,
            title="Components",
            description=f"Principal components to keep, {describe_range('components')}; or give a variance, "
            f"not both. {nightly.components} if both are empty. Where no image is new, they "
            "are fitted on what is stored.",
            type=["null", "integer"],
            **RANGES["components"],
        ),
        "variance": Param(
            None,
            title="Variance",
            description="Instead of components: keep the fewest that explain this share, "
            f"{describe_range('variance')}, as 0.9.",
            type=["null", "number"],
            **RANGES["variance"],
        ),
        "basis": Param(
            nightly.basis.value,
            title="Basis",
            description="refit on all images; or reuse the components of the run before for the new images, "
            "and leave the old rows as they are.",
            type="string",
            enum=[mode.value for mode in BasisMode],
        ),
        "precision": Param(
            nightly.precision.value,
            title="Precision",
            description="Number format of the inference: bfloat16 is faster on some CPUs, and less exact. "
            "A change computes every image again, which has to be allowed below.",
            type="string",
            enum=[precision.value for precision in Precision],
        ),
        "recompute": Param(
            False,
            title="Compute images again",
            description="Whether images are computed again that have results of another model, precision or "
            "decoding. Without, such a run fails before there is a cluster, and says how many they are. "
            "Nightly runs follow the settings.",
            type="boolean",
        ),
        "core_nodes": Param(
            fleet.core_nodes,
            title="Cluster size",
            description=f"Core nodes, from 1 to {fleet.max_core_nodes}, beside the primary node; if empty, "
            "as many as the new images ask for.",
            type=["null", "integer"],
            minimum=1,
            maximum=fleet.max_core_nodes,
        ),
        "max_failure_ratio": Param(
            nightly.max_failure_ratio,
            title="Failure threshold",
            description=f"Largest allowed share of rejected images, {describe_range('max_failure_ratio')}; "
            "above it the run fails.",
            type="number",
            **RANGES["max_failure_ratio"],
        ),
        "cost_ceiling": Param(
            settings.cost.cost_ceiling,
            title="Cost ceiling",
            description=f"Most dollars, {describe_range('cost_ceiling')}, that the run may cost by its "
            "estimate; above it there is no cluster.",
            type=["null", "number"],
            **RANGES["cost_ceiling"],
        ),
    }
