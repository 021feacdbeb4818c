"""The whole road, as `make demo` takes it: real Airflow, real Spark, real model, no AWS."""

import json
import os
import shutil
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from tests.system.e2e.conftest import StartDemo, read_rows

# Keras's own weights are asked for, and cannot be fetched, wherever this runs.
NO_WEIGHTS = {"WEIGHTS": "", "KERAS_HOME": "/nonexistent", "HTTPS_PROXY": "http://127.0.0.1:9"}


def processes_on(lake: Path) -> list[str]:
    """Return the command lines of the processes that know the lake's folder, or the state's beside it."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        with suppress(psutil.Error):
            known = " ".join([*(process.info["cmdline"] or []), *process.environ().values()])
            if process.info["pid"] != os.getpid() and str(lake.parent) in known:
                found.append(" ".join(process.info["cmdline"] or []))
    return found


def test_good_and_bad_images_end_in_the_csv_and_in_the_rejects(
    start_demo: StartDemo, bad_images: tuple[Path, dict[str, str]]
) -> None:
    images, expected = bad_images
    demo = start_demo(images, **NO_WEIGHTS)
    assert demo.finish() == 0, demo.output
    (run,) = (demo.lake / "runs").iterdir()
    header, *rows = read_rows(run / "csv" / "features.csv")
    assert header == ["path", "label", *(f"pc{place}" for place in range(1, 16))]
    assert {row[0].removeprefix("'") for row in rows} == {
        path for path, status in expected.items() if status == "ok"
    }
    assert {row[0].removeprefix("'"): row[2] for row in read_rows(run / "csv" / "rejects.csv")[1:]} == {
        path: status for path, status in expected.items() if status not in ("ok", "ignored")
    }
    summary = json.loads((run / "run.json").read_text())
    counts = summary["counts"]
    assert counts["listed"] == counts["featurized"] + counts["rejected"] + counts["known"]
    assert counts["featurized"] == len(rows)
    assert summary["weights"] == "untrained"
    assert demo.latest()["run"] == run.name  # type: ignore[index]
    assert "untrained" in demo.output
    assert f"{counts['listed']} listed" in demo.output
    assert demo.output.count("TERMINATED") >= 1
    assert processes_on(demo.lake) == []


def test_a_run_that_fails_says_why_and_publishes_nothing(start_demo: StartDemo, sample_images: Path) -> None:
    (sample_images / "broken.jpg").write_bytes(b"no image")
    demo = start_demo(sample_images, ORCHARD_MAX_FAILURE_RATIO="0")
    assert demo.finish() == 1, demo.output
    assert "1 of 25 images rejected" in demo.output
    assert demo.latest() is None
    assert not (demo.lake / "ledger").exists()
    assert "TERMINATED" in demo.output
    assert processes_on(demo.lake) == []


def test_the_next_run_skips_what_is_unchanged_and_adds_what_is_new(
    start_demo: StartDemo, sample_images: Path
) -> None:
    first = start_demo(sample_images)
    assert first.finish() == 0, first.output
    unchanged = start_demo(sample_images)
    assert unchanged.finish() == 0, unchanged.output
    assert "No new images: no cluster was created" in unchanged.output
    some, other, *_ = sorted(sample_images.glob("*/*.jpg"))
    shutil.copy(some, sample_images / "another.jpg")
    shutil.copy(other, some)  # the same path with other bytes
    second = start_demo(sample_images)
    assert second.finish() == 0, second.output
    assert "25 listed, 2 featurized, 23 known before" in second.output
    assert len(second.rows()) == 25


def test_ctrl_c_leaves_no_process_and_publishes_nothing(start_demo: StartDemo, sample_images: Path) -> None:
    demo = start_demo(sample_images)
    demo.find_driver("featurize")
    demo.process.send_signal(signal.SIGINT)
    assert demo.finish() == 130, demo.output
    assert demo.output.count("orchard: interrupted; the cluster and its processes are gone") == 1
    assert demo.latest() is None
    assert processes_on(demo.lake) == []
