"""The lake has no room or may not be written; images change under the run's eyes; clocks are wrong."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.system.faults.checks import (
    Reference,
    prove_clusters_ended,
    prove_contained,
    prove_next_run,
    prove_no_process,
    prove_nothing_partial,
    prove_same_bytes,
    run_undisturbed,
)
from tests.system.faults.scenario import Scenario

FUTURE, PAST = 4102444800, 86400  # 2100 and 1970, in seconds since the epoch


@pytest.mark.fault("the disk of the lake is full", then="the run fails and says so")
def test_a_full_disk_fails_the_run(scenario: Scenario, capfd: pytest.CaptureFixture[str]) -> None:
    with small_disk(scenario.lake, "96k"):
        assert str(scenario.run().state) == "failed"
        assert "No space left on device" in capfd.readouterr().out
        subprocess.run(["mount", "-o", "remount,size=64m", scenario.lake], check=True)
        prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault(
    "the ledger cannot be written when the run is published", then="the run fails, nothing is published"
)
def test_a_ledger_that_cannot_be_written_fails_the_publication(scenario: Scenario) -> None:
    scenario.lake.mkdir()
    (scenario.lake / "ledger").write_text("in the way")
    assert str(scenario.run().state) == "failed"
    (scenario.lake / "ledger").unlink()
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.settings(ORCHARD_MAX_FAILURE_RATIO="0.2")
@pytest.mark.fault(
    "images are deleted between listing and reading, fewer than the run may lose",
    then="they are rejected as missing, and counted; the run succeeds",
)
def test_images_that_vanish_are_rejected(scenario: Scenario) -> None:
    images = scenario.copy_images()
    scenario.spark("featurize", hold=True)
    with scenario.meanwhile(lambda: delete_images(scenario, images, 3)):
        assert str(scenario.run().state) == "success"
    assert Reference.of(scenario).rejects.count(b',"missing",') == 3
    prove_clusters_ended(scenario)
    prove_no_process(scenario)
    prove_nothing_partial(scenario, runs=1)
    prove_next_run(scenario)
    # What is missing is in rejects.csv, and has left no trace in the rest.
    rejects = Reference.of(scenario).rejects
    scenario.reference = replace(run_undisturbed(scenario), rejects=rejects)
    prove_same_bytes(scenario)


@pytest.mark.fault(
    "images are deleted between listing and reading, more than the run may lose",
    then="the run fails and says so",
)
def test_more_vanished_images_than_allowed_fail_the_run(
    scenario: Scenario, capfd: pytest.CaptureFixture[str]
) -> None:
    images = scenario.copy_images()
    shutil.copytree(images, scenario.folder / "kept")
    scenario.spark("featurize", hold=True)
    with scenario.meanwhile(lambda: delete_images(scenario, images, 10)):
        assert str(scenario.run().state) == "failed"
    assert "11 of 25 images rejected" in capfd.readouterr().out
    shutil.copytree(scenario.folder / "kept", images, dirs_exist_ok=True)
    prove_contained(scenario, published=False, clusters=1)


@pytest.mark.fault("clocks are wrong: the images are of the year {year}", then="the run succeeds")
@pytest.mark.parametrize(("year", "seconds"), [("2100", FUTURE), ("1970", PAST)])
def test_the_time_of_an_image_changes_nothing(scenario: Scenario, year: str, seconds: int) -> None:
    for image in scenario.copy_images().rglob("*.jpg"):
        os.utime(image, (seconds, seconds))
    assert str(scenario.run().state) == "success"
    prove_contained(scenario, published=True, clusters=1)


def delete_images(scenario: Scenario, images: Path, count: int) -> None:
    """Delete images once they are listed, and let featurize read the others."""
    scenario.wait_for_step("featurize", "RUNNING")
    for image in sorted(images.glob("*/*.jpg"))[:count]:
        image.unlink()
    scenario.release()


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[None]:
    """A file system of its own, that is soon full."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(["mount", *options], check=False, capture_output=True).returncode:
        pytest.skip("mounting a small disk takes root")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
