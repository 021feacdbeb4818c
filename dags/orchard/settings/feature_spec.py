"""What determines an image's features besides its bytes. Features of different specs are never mixed."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

from orchard.settings.run_params import RunParams
from orchard.settings.settings import Settings
from orchard_jobs.contract import DamagedImages, Decoding, InstructionSet, Precision


@dataclass(frozen=True)
class FeatureSpec:
    """How features are computed. A run reuses features of earlier runs with the same spec only.

    The defaults describe runs from before there was a choice.

    Args:
        model: The id of the model artefact.
    """

    model: str
    precision: Precision = Precision.FLOAT32
    decoding: Decoding = Decoding.EXACT
    instruction_set: InstructionSet | None = None
    damaged_images: DamagedImages = DamagedImages.REJECT

    @classmethod
    def of_run(cls, model_id: str, params: RunParams, settings: Settings) -> Self:
        spark = settings.spark
        return cls(model_id, params.precision, spark.decoding, spark.instruction_set, spark.damaged_images)

    @classmethod
    def from_json(cls, facts: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: for a value that this version of Orchard does not know.
            TypeError: for an unknown name, or a missing model.
        """
        kinds: dict[str, Any] = {
            "precision": Precision,
            "decoding": Decoding,
            "instruction_set": InstructionSet,
            "damaged_images": DamagedImages,
        }
        return cls(**{name: kinds.get(name, str)(value) for name, value in facts.items()})

    def to_json(self) -> dict[str, str]:
        """Return what differs from the defaults: older versions of Orchard read a spec that they support, and
        reject any other.
        """
        values = ((field, getattr(self, field.name)) for field in fields(self))
        return {field.name: str(value) for field, value in values if value != field.default}
