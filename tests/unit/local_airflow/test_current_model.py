"""The link that docker-compose.yaml's settings name, and which weights it leads to."""

from pathlib import Path

import pytest

from local_spark.model import Model, find_weights, point_to
from orchard_jobs.errors import OrchardError


def test_the_link_leads_to_the_newest_artefact_wherever_the_lake_is(tmp_path: Path) -> None:
    for name in ("a1", "b2"):
        (tmp_path / "lake" / "models" / name).mkdir(parents=True)
        (tmp_path / "lake" / "models" / name / "card.json").write_text(name)
        point_to(Model(f"file://{tmp_path}/lake/models/{name}"), tmp_path / "lake")
    (tmp_path / "lake").rename(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / "models" / "current" / "card.json").read_text() == "b2"


def test_one_file_of_weights_is_taken_and_of_two_none(tmp_path: Path) -> None:
    assert find_weights(tmp_path / "none") is None
    (tmp_path / "readme.txt").touch()
    (tmp_path / "a.h5").touch()
    assert find_weights(tmp_path) == tmp_path / "a.h5"
    (tmp_path / "b.keras").touch()
    with pytest.raises(OrchardError, match=r"a\.h5, b\.keras in .*: one of them makes the model"):
        find_weights(tmp_path)
