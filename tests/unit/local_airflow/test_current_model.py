"""Which weights a lake on this machine gets, and the link that docker-compose.yaml's settings name."""

from pathlib import Path

import pytest

from local_spark import model
from local_spark.model import REQUESTED, UNTRAINED, Model, find_weights, point_to, provide_model
from orchard_jobs.errors import OrchardError
from tests.support.published_runs import published, write, write_lake


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
    with pytest.raises(OrchardError, match=r"a\.h5, b\.keras in .*: the model needs exactly one"):
        find_weights(tmp_path)


@pytest.fixture
def no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are exported in no time, but for Keras's own, which cannot be fetched."""

    def export_once(source: str, weights: str, lake: Path) -> str:
        if source == "imagenet":
            raise OrchardError("--weights=imagenet", rule="they are downloaded", remedy="give a file")
        write(lake / "models" / source / "card.json", b"{}")
        return f"file://{lake}/models/{source}"

    monkeypatch.setattr(model, "_export_once", export_once)


@pytest.mark.usefixtures("no_download")
def test_a_lake_with_trained_results_keeps_their_model(tmp_path: Path) -> None:
    write_lake(tmp_path, [published("a"), published("b", model={"id": "trained"}, weights="w.h5")])
    write(tmp_path / "models" / "trained" / "card.json", b"{}")
    assert provide_model(None, tmp_path) == Model(f"file://{tmp_path}/models/trained")


@pytest.mark.usefixtures("no_download")
def test_untrained_weights_take_the_place_of_trained_ones_only_where_they_are_asked_for(
    tmp_path: Path,
) -> None:
    write_lake(tmp_path, [published("a", model={"id": "trained"}, weights="imagenet")])
    with pytest.raises(OrchardError, match="untrained weights replace trained ones only on request"):
        provide_model(None, tmp_path)
    assert provide_model(Path("untrained"), tmp_path).warning == REQUESTED


@pytest.mark.usefixtures("no_download")
def test_a_lake_without_trained_results_gets_untrained_weights_and_a_warning(tmp_path: Path) -> None:
    assert provide_model(None, tmp_path / "new").warning == UNTRAINED
    write_lake(tmp_path, [published("a", weights="untrained")])
    assert provide_model(None, tmp_path).warning == UNTRAINED
