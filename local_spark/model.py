"""``python -m local.current_model LAKE``: makes the model artefact, and has ``models/current`` point to it.

For docker-compose.yaml, whose settings are written before there is an artefact. Weights are a file in
``<lake>/weights``; without one they are Keras's own, or else untrained, as in ``make demo``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from local.node import Model, NodeError, provide_model

SUFFIXES = (".h5", ".keras")


def main(lake: Path) -> int:
    try:
        model = provide_model(find_weights(lake / "weights"), lake)
    except NodeError as error:
        print(f"orchard: {error}", file=sys.stderr)
        return 2
    print(f"model    {point_to(model, lake)}")
    if model.warning:
        print(f"WARNING  {model.warning.replace('WEIGHTS=', 'lake/weights/')}")
    return 0


def find_weights(folder: Path) -> Path | None:
    """Return the file of weights; None where there is none.

    Raises:
        NodeError: where there are several.
    """
    found = sorted(path for path in folder.glob("*") if path.suffix in SUFFIXES)
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise NodeError(f"{names} in {folder}: one of them makes the model. Take the others away.")
    return found[0] if found else None


def point_to(model: Model, lake: Path) -> Path:
    """Have ``models/current`` point to the artefact; return the artefact's folder."""
    artefact = Path(model.uri.removeprefix("file://"))
    staged = lake / "models" / ".current"
    staged.unlink(missing_ok=True)
    staged.symlink_to(artefact.name)  # relative: the lake has another place outside of the container
    staged.replace(lake / "models" / "current")
    return artefact


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
