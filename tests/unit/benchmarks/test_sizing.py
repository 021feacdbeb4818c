"""The estimate of hours and dollars: its arithmetic, from measures made up for it."""

import json
from pathlib import Path

import pytest

from benchmarks import phases, sizing
from benchmarks.lines import Line, Point, Results, fit_line
from benchmarks.phases import OF_ONE_CORE, SAME_FOR_ANY, SPREAD
from benchmarks.sizing import CLUSTER_START, estimate, price, to_advice, to_check, to_further_image


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("images", [1000, 3000, 10_000])
def test_an_estimate_gives_back_what_it_was_made_from(images: int, spread: bool) -> None:
    """On the cores of the measurement; 2 s and 4 ms an image."""
    line = fit_line(Point(1000, 6.0), Point(10_000, 42.0), 2, spread=spread)
    assert line.seconds(images, cores=2) == pytest.approx(2 + 0.004 * images)
    assert line.seconds(images, cores=8) == pytest.approx(2 + 0.004 * images / (4 if spread else 1))


def test_a_phase_that_took_less_for_more_images_takes_the_same_for_any_number() -> None:
    line = fit_line(Point(1000, 6.0), Point(10_000, 5.0), 2, spread=True)
    assert (line.fixed, line.per_image) == (6.0, 0.0)


def test_an_estimate_counts_the_cluster_start_and_the_primary_node() -> None:
    hours, dollars = estimate([Line(3600 - CLUSTER_START, 0.0, spread=False)], 10**6, cores=16)
    assert (hours, dollars) == (1.0, pytest.approx(5 * price("m5")))


def measured(**more: float) -> Results:
    """Every phase took 4 s for 1,000 images, 10 s for 4,000, on two cores; 3 s went by between them."""
    phases_of_all = (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY)
    seconds = {f"orchard float32: {phase}": 4.0 for phase in phases_of_all}
    seconds |= {f"many: {phase}": 10.0 for phase in phases_of_all}
    seconds["orchard float32 with start-up"] = 4.0 * len(phases_of_all) + 3.0
    return Results(images=1000, many=4000, few=1000, cores=2, seconds=seconds | more)


def test_the_estimate_is_held_against_what_other_numbers_of_cores_took() -> None:
    """Of a line, 2 s are fixed; one core takes the other 2 s twice where both have shared them."""
    same = 4.0 * len(OF_ONE_CORE) + 7.0 * len(SAME_FOR_ANY) + 3.0
    on_two, on_one = 4.0 * len(SPREAD) + same, 6.0 * len(SPREAD) + same
    took = {"cores, 1": 2 * on_one, "cores, 2": on_two}
    assert to_check(measured(**took)).splitlines()[2:] == [
        f"| 1 | {2 * on_one:.0f} s | {on_one:.0f} s | -50% |",
        f"| 2 | {on_two:.0f} s | {on_two:.0f} s | +0% |",
    ]


def test_what_many_images_share_is_no_part_of_a_further_one() -> None:
    """By Orchard 2 ms in each phase that grows; by the notebook 20 ms, after 60 s for whatever it starts."""
    notebook = {"notebook session": 3.0, "notebook features": 80.0, "notebook features, many": 140.0}
    notebook |= {"notebook components": 9.0, "notebook components, many": 9.0}
    growing = len((*SPREAD, *OF_ONE_CORE))
    assert to_further_image(measured(**notebook)) == (
        f"Each further image takes 20.0 ms by the notebook pipeline and {2 * growing:.1f} ms by Orchard, "
        f"on 2 cores: {10 / growing:.2f} times as long."
    )


def test_only_families_with_amx_are_advised_for_bfloat16() -> None:
    rates = {"featurize float32": 200.0, "featurize bfloat16": 400.0}
    rows = {line.split(" | ")[0]: line.split(" | ")[2:] for line in to_advice(measured(**rates)).splitlines()}
    assert rows["| m5"] == ["6,000,000", " |"]
    assert rows["| m7i"] == ["5,714,286", "11,428,571 |"]


def test_results_of_some_parts_only_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"images": 300, "many": 3000, "few": 2000, "machine": {"cores": 2}, "measures": {"ml.PCA": 1.0}}
    (tmp_path / "results.json").write_text(json.dumps(content))
    assert sizing.main([str(tmp_path / "results.json")]) == 2
    assert capsys.readouterr().err.endswith("few': measure all parts, make bench\n")


def test_the_start_of_the_jvm_is_no_part_of_writing_rows() -> None:
    """16 s and 20 s of the JVM for 2,000 and 10,000 images: half a millisecond for one more."""
    seconds = {f"many: {phase}": 1.0 for phase in (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY)}
    seconds |= {f"many: {phase}, workers": 10.0 for phase in phases.OF_WORKERS}
    seconds |= {"CPU ms per image of the jvm, few": 8.0, "CPU ms per image of the jvm, float32": 2.0}
    table = phases.to_table(seconds, images=10_000, few=2000, cores=2)
    assert "| featurize: rows to Parquet | 5.0 | cores in all | 2,000 |" in table
    assert "| featurize: infer | 10.0 | cores in all | 1,000 |" in table
    assert "| featurize | 1.0 | 2 of 2 | 5,000 |" in table
