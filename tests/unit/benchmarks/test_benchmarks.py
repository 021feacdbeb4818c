"""The benchmark's arithmetic, and checks that it compares like with like."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks import check
from benchmarks.__main__ import ALL_PARTS, QUICK_PARTS, Request
from benchmarks.agreement import DisagreementError, require_agreement
from benchmarks.contenders import slow_store
from benchmarks.feature_rows import draw_rows, draw_runs
from benchmarks.figures import (
    FIGURES,
    Figure,
    find_further_image,
    find_moved,
    format_table,
    medians,
    summarize,
)
from benchmarks.machine import count_busy_cores, wait_until_quiet
from benchmarks.pictures import NotEnoughImagesError, choose, copy_images
from benchmarks.processes import CommandError, run_watched
from orchard_jobs.contract import EARLIER_COLUMNS, Precision
from orchard_jobs.errors import OrchardError
from orchard_jobs.storage import open_folder

SPEED = Figure("theirs / ours", "theirs", "ours", "≥", 7)
MEMORY = Figure("peak MB", "peak", None, "≤", 700)


def test_a_ratio_is_taken_within_each_round_and_the_median_of_them_counts() -> None:
    rounds = [{"theirs": 80.0, "ours": 10.0}, {"theirs": 300.0, "ours": 30.0}, {"theirs": 12.0, "ours": 4.0}]
    assert summarize(rounds, [SPEED]) == {
        "theirs / ours": {"median": 8.0, "rounds": [8.0, 10.0, 3.0], "target": "≥ 7", "reached": True}
    }


def test_a_figure_of_one_measure_is_that_measure() -> None:
    (found,) = summarize([{"peak": 650.0}, {"peak": 701.0}, {"peak": 800.0}], [MEMORY]).values()
    assert (found["median"], found["reached"]) == (701.0, False)


def test_what_no_round_measured_is_left_out() -> None:
    assert summarize([{"theirs": 1.0}], [SPEED, MEMORY]) == {}
    assert medians([{"a": 1.0}, {"a": 3.0, "b": 5.0}]) == {"a": 2.0, "b": 5.0}


def test_every_figure_has_a_name_of_its_own() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)


def test_the_table_says_what_was_reached_and_of_how_many_images() -> None:
    figures = [Figure("theirs / ours, MANY images", "theirs", "ours", "≥", 7), Figure("seconds", "theirs")]
    table = format_table(summarize([{"theirs": 1184.0, "ours": 148.0}], figures), {"N": 3000, "MANY": 10_000})
    assert table.splitlines()[2:] == [
        "| theirs / ours, 10,000 images | 8 | 8 | ≥ 7 | reached |",
        "| seconds | 1184 | 1184 |  |  |",
    ]


def test_a_figure_without_an_aim_never_becomes_worse() -> None:
    before, now = (summarize([{"theirs": seconds}], [Figure("s", "theirs")]) for seconds in (10.0, 20.0))
    assert find_moved(now, before) == ([], [])


def test_one_more_image_is_the_slope_between_the_two_numbers_of_images() -> None:
    """It excludes everything with a fixed time, such as the start of a session."""
    jobs = ("featurize", "reduce", "export")
    measured = {f"orchard float32: all of {job}": 10.0 for job in jobs}
    measured |= {f"many: all of {job}": 12.0 for job in jobs}
    measured |= {"notebook features": 60.0, "notebook components": 10.0}
    assert find_further_image(measured, 3000, 5000) == {}
    measured |= {"notebook features, many": 82.0, "notebook components, many": 12.0}
    assert find_further_image(measured, 3000, 5000) == {
        "notebook, one more image": 12.0,
        "orchard, one more image": 3.0,
    }
    assert find_further_image(measured, 3000, 3000) == {}


@pytest.mark.parametrize(
    ("now", "worse", "better"),
    [(10.0, 0, 0), (8.6, 0, 0), (8.4, 1, 0), (11.4, 0, 0), (11.6, 0, 1)],
)
def test_a_ratio_has_moved_beyond_15_percent(now: float, worse: int, better: int) -> None:
    before, after = ({"f": {"median": value, "target": "≥ 7"}} for value in (10.0, now))
    assert tuple(map(len, find_moved(after, before))) == (worse, better)


def test_where_less_is_better_more_is_worse() -> None:
    before, after = ({"f": {"median": value, "target": "≤ 700"}} for value in (500.0, 600.0))
    assert find_moved(after, before) == (["f: 500 → 600 (+20%; target ≤ 700)"], [])


def test_the_check_fails_and_names_what_became_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, theirs in (("before", 100.0), ("now", 50.0)):
        figures = summarize([{"theirs": theirs, "ours": 10.0, "peak": 600.0}], [SPEED, MEMORY])
        (tmp_path / name).write_text(json.dumps({"figures": figures, "images": 300, "many": 300}))
    files = [str(tmp_path / "before"), str(tmp_path / "now")]
    assert check.main(files) == 1
    assert "WORSE   theirs / ours: 10 → 5 (-50%; target ≥ 7)" in capsys.readouterr().out
    assert check.main(files[::-1]) == 0


def test_the_check_compares_no_ratios_of_different_numbers_of_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, images in (("before", 3000), ("now", 300)):
        (tmp_path / name).write_text(json.dumps({"figures": {}, "images": images, "many": 10_000}))
    assert check.main([str(tmp_path / "before"), str(tmp_path / "now")]) == 2
    assert "images is 300, but 3000 in" in capsys.readouterr().out


def write_features(folder: Path, rows: dict[str, list[float]]) -> Path:
    folder.mkdir()
    features = pa.array(list(rows.values()), pa.list_(pa.float32()))
    pq.write_table(pa.table({"path": list(rows), "features": features}), folder / "part.parquet")
    return folder


def test_features_agree_whatever_prefix_their_paths_have(tmp_path: Path) -> None:
    images = tmp_path / "images"
    theirs = write_features(tmp_path / "theirs", {f"file:{images}/a/1.jpg": [1, 2, 3]})
    ours = write_features(tmp_path / "ours", {"a/1.jpg": [1, 2, 3.001]})
    assert 0.9999 < require_agreement(theirs, ours, images, Precision.FLOAT32) < 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a/1.jpg": [1.0, 2.0, 3.2]}, "features of a/1.jpg"),
        ({"a/1.jpg": [0.0, 0.0, 0.0]}, "features of a/1.jpg"),
        ({"a/2.jpg": [1.0, 2.0, 3.0]}, "both must have the same"),
    ],
)
def test_contenders_that_computed_different_features_are_not_compared(
    rows: dict[str, list[float]], message: str, tmp_path: Path
) -> None:
    theirs = write_features(tmp_path / "theirs", {"a/1.jpg": [1, 2, 3]})
    ours = write_features(tmp_path / "ours", rows)
    with pytest.raises(DisagreementError, match=message):
        require_agreement(theirs, ours, tmp_path / "images", Precision.FLOAT32)


def test_images_are_chosen_evenly_and_never_fewer_than_requested() -> None:
    found = [Path(str(number)) for number in range(10)]
    assert [path.name for path in choose(found, 3)] == ["0", "3", "6"]
    with pytest.raises(NotEnoughImagesError, match="10 images, but 11"):
        choose(found, 11)


def test_a_copy_of_images_has_nothing_of_the_copy_before(tmp_path: Path) -> None:
    for name in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        (tmp_path / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "source" / name).write_bytes(b"12345")
    for count in (3, 1):
        copy = copy_images(tmp_path / "source", count, tmp_path / "copy")
    assert [path.name for path in copy.rglob("*.jpg")] == ["1.jpg"]


@pytest.fixture
def drawn_runs(tmp_path: Path) -> tuple[pa.Table, pa.Table]:
    """Features of two runs with 200 rows, drawn from 30."""
    rows = {f"{number}.jpg": [float(number), 1.0] for number in range(30)}
    known, new = tmp_path / "known", tmp_path / "new"
    known.mkdir()
    new.mkdir()
    draw_runs(write_features(tmp_path / "all", rows), 200, known, new)
    return pq.read_table(known / "features"), pq.read_table(new / "features")


def test_the_requested_number_of_rows_is_drawn_without_duplicates(
    drawn_runs: tuple[pa.Table, pa.Table],
) -> None:
    assert [part.num_rows for part in drawn_runs] == [198, 2]
    drawn = pa.concat_tables(drawn_runs)
    assert len(set(drawn["path"].to_pylist())) == len(set(map(tuple, drawn["features"].to_pylist()))) == 200


def test_all_known_rows_are_in_the_list_of_the_new_run_and_stay(
    drawn_runs: tuple[pa.Table, pa.Table], tmp_path: Path
) -> None:
    earlier = pq.read_table(tmp_path / "new" / "earlier.parquet")
    assert tuple(earlier.column_names) == EARLIER_COLUMNS
    always = {"etag": "", "status": "ok", "run": "known", "stays": True}
    assert earlier.to_pylist() == [{"path": path} | always for path in drawn_runs[0]["path"].to_pylist()]


def test_rows_are_drawn_from_features_of_any_kind_of_list(tmp_path: Path) -> None:
    for kind in (pa.list_(pa.float32()), pa.list_(pa.float32(), 2)):
        folder = tmp_path / f"{kind}"
        folder.mkdir()
        features = pa.array([[1.0, 2.0], [3.0, 4.0]], kind)
        pq.write_table(pa.table({"path": ["a", "b"], "features": features}), folder / "part.parquet")
        (folder / "drawn").mkdir()
        drawn = pq.read_table(draw_rows(folder / "part.parquet", 5, folder / "drawn"))
        assert (drawn.num_rows, drawn.schema.field("features").type) == (5, kind)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="busy cores are read from /proc")
def test_a_contender_waits_for_a_quiet_machine_but_not_forever() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            assert (wait_until_quiet(most=0.0, patience=0.0) or 0.0) > 0.0
        finally:
            busy.kill()
    assert (count_busy_cores() or 0.0) >= 0.0


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="CPU and memory are read from /proc")
def test_the_cost_of_a_command_has_the_cpu_and_memory_of_what_it_started(tmp_path: Path) -> None:
    inner = "import time; kept = bytearray(80_000_000)\nwhile time.process_time() < 1.0: pass"
    outer = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {inner!r}])"
    cost = run_watched([sys.executable, "-c", outer], os.environ, tmp_path / "log")
    assert cost.seconds > 1.0
    assert cost.cpu["driver"] > 0.5
    assert 80 < cost.memory["driver"] < 160


def test_a_command_that_fails_says_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "print('no such thing'); raise SystemExit(3)"]
    with pytest.raises(CommandError, match=r"(?s)ended with 3.*no such thing"):
        run_watched(command, os.environ, tmp_path / "log")


def test_the_slow_store_answers_late_and_only_with_what_is_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "ä 1.jpg").write_bytes(b"pixels")
    (tmp_path / "secret").write_bytes(b"outside")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with slow_store.serve(tmp_path / "images", delay=0.2) as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
        read = open_folder(f"s3://{slow_store.BUCKET}")
        started = time.perf_counter()
        assert read("a/ä 1.jpg") == b"pixels"
        assert time.perf_counter() - started > 0.2
        for path in ("a/2.jpg", "%2e%2e/secret"):
            with pytest.raises(OSError, match=r"no object|cannot read"):
                read(path)


def test_a_quick_bench_is_of_few_images_and_parts() -> None:
    quick, whole = Request.parse(["--count=300", "--rounds=1"]), Request.parse([])
    assert (quick.count, quick.many, quick.rounds, quick.parts) == (300, 300, 1, QUICK_PARTS)
    assert (whole.count, whole.many, whole.rounds, whole.parts) == (3000, 10_000, 3, ALL_PARTS)


def test_the_peers_are_in_every_round_unless_they_are_left_out() -> None:
    assert Request.parse([]).has_peers
    assert not Request.parse(["--no-peers"]).has_peers


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--count=many", "--count=many: it must be a whole number, at least 1. Correct it."),
        ("--rounds=0", "--rounds=0: it must be a whole number, at least 1. Correct it."),
        (
            "--parts=features all",
            f"--parts=features all: the parts are {' '.join(ALL_PARTS)}. Name some of these.",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(given: str, message: str) -> None:
    with pytest.raises(OrchardError) as caught:
        Request.parse([given])
    assert str(caught.value) == message
