"""The model artefact: what goes in comes out, in either runtime, and nothing foreign gets in."""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from orchard_jobs.contract import Precision, Runtime
from orchard_jobs.errors import OrchardError
from orchard_jobs.images.decode import Decoded, decode_image
from orchard_jobs.models import model_export
from orchard_jobs.models.model_card import read_card
from orchard_jobs.models.runtimes import load_model
from orchard_jobs.storage import local_path
from tests.support.jobs.spark_session import DATA


def noise(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)


def features(model_uri: str, runtime: Runtime, pixels: np.ndarray, batch_size: int = 4) -> np.ndarray:
    return load_model(model_uri, runtime, Precision.FLOAT32, batch_size).features(pixels)


def test_both_runtimes_agree_on_noise(model_uri: str) -> None:
    pixels = noise(5)
    np.testing.assert_allclose(
        features(model_uri, Runtime.OPENVINO, pixels),
        features(model_uri, Runtime.TENSORFLOW, pixels),
        atol=1e-4,
    )


def test_both_runtimes_agree_on_real_images_with_real_weights(trained_model_uri: str) -> None:
    with tarfile.open(DATA / "fruits360-60.tar") as archive:
        members = [member for member in archive if member.name.endswith(".jpg")][::400]
        decoded = [decode_image(archive.extractfile(member).read()) for member in members]  # type: ignore[union-attr]
    pixels = np.stack([image.pixels for image in decoded if isinstance(image, Decoded)])
    assert len(pixels) == len(members) > 20
    by_openvino = features(trained_model_uri, Runtime.OPENVINO, pixels)
    np.testing.assert_allclose(
        by_openvino, features(trained_model_uri, Runtime.TENSORFLOW, pixels), atol=1e-4
    )


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_features_do_not_depend_on_the_batch_they_were_computed_in(model_uri: str, batch_size: int) -> None:
    pixels = noise(5)
    alone = np.concatenate([features(model_uri, Runtime.OPENVINO, pixels[i : i + 1], 1) for i in range(5)])
    np.testing.assert_allclose(features(model_uri, Runtime.OPENVINO, pixels, batch_size), alone, atol=1e-4)


@pytest.mark.parametrize("runtime", list(Runtime))
def test_no_images_give_no_features(model_uri: str, runtime: Runtime) -> None:
    assert features(model_uri, runtime, noise(0)).shape == (0, 1280)


def test_bfloat16_is_near_float32(model_uri: str) -> None:
    pixels = noise(3)
    exact = features(model_uri, Runtime.OPENVINO, pixels)
    rough = load_model(model_uri, Runtime.OPENVINO, Precision.BFLOAT16, 3).features(pixels)
    cosines = (exact * rough).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(rough, axis=1)
    assert (cosines > 0.9).all()


def test_untrained_features_tell_images_apart(model_uri: str) -> None:
    computed = features(model_uri, Runtime.OPENVINO, noise(4))
    assert computed.std(axis=0).max() > 1e-3


def test_the_card_says_what_the_artefact_is(model_uri: str) -> None:
    card = read_card(model_uri)
    assert (card.weights, card.image_size, card.features) == ("untrained", 224, 1280)
    assert set(card.files) == {"model.xml", "model.bin", "model.keras"}
    assert model_uri.endswith(f"/{card.id}")


def test_a_file_that_is_not_what_its_card_says_is_refused(model_uri: str, tmp_path: Path) -> None:
    for path in local_path(model_uri).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with (tmp_path / "model.bin").open("r+b") as weights:
        weights.write(b"tampered")
    with pytest.raises(OrchardError, match="do not run this one"):
        load_model(f"file://{tmp_path}", Runtime.OPENVINO, Precision.FLOAT32, 1)


@pytest.mark.parametrize("content", [None, b"not json", json.dumps({"id": "x"}).encode()])
def test_a_folder_that_is_no_artefact_is_one_clear_error(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(OrchardError, match=r"it must name a folder with a card\.json"):
        read_card(f"file://{tmp_path}")


@pytest.mark.parametrize("name", ["absent.h5", "notes.txt", "foreign.h5", "foreign.keras"])
def test_weights_that_are_none_of_this_network_are_refused_with_the_ways_out(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not name.startswith("absent"):
        (tmp_path / name).write_bytes(b"no weights")
    assert model_export.main([f"--weights={tmp_path / name}", f"--output=file://{tmp_path}/models"]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith(f"orchard: --weights={tmp_path / name}")
    assert "\n" not in said
    assert "--weights=untrained" in said
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "features that are not finite"), (0.0, "the same features for noise")],
)
def test_weights_that_tell_no_images_apart_are_refused_and_nothing_is_written(
    value: float, message: str, tmp_path: Path
) -> None:
    model = model_export.build_model("untrained")
    for weight in model.weights:
        weight.assign(np.full(weight.shape, value, np.float32))
    model.save(tmp_path / "useless.keras")
    with pytest.raises(OrchardError, match=message):
        model_export.export_model(
            model_export.ExportModel(f"file://{tmp_path}/models", f"{tmp_path}/useless.keras")
        )
    assert not (tmp_path / "models").exists()


def test_a_keras_model_file_gives_the_same_artefact_as_the_weights_it_came_from(
    model_uri: str, tmp_path: Path
) -> None:
    exported = local_path(model_uri) / "model.keras"
    weights = tmp_path / "mine.keras"
    weights.write_bytes(exported.read_bytes())
    uri = model_export.export_model(
        model_export.ExportModel(output=f"file://{tmp_path}/models", weights=str(weights))
    )
    assert read_card(uri).id == read_card(model_uri).id
    assert read_card(uri).weights == "mine.keras"
