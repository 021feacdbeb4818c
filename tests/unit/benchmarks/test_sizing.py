"""The arithmetic of the estimate of hours and dollars, with made-up measures."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import phases, tables
from benchmarks.lines import Line, Point, Results, fit_line, orchard_lines
from benchmarks.phases import OF_ONE_CORE, SAME_FOR_ANY, SPREAD
from benchmarks.sizing import CLUSTER_START, estimate, format_check, format_families, price
from tests.support.checkout import ROOT


@pytest.mark.parametrize("spread", [True, False])
@pytest.mark.parametrize("images", [1000, 3000, 10_000])
def test_an_estimate_reproduces_its_measurements(images: int, spread: bool) -> None:
    """With the measured number of cores: 2 s, and 4 ms per image."""
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
    """Each phase took 4 s for 1,000 images and 10 s for 4,000 on two cores, with 3 s between phases."""
    phases_of_all = (*SPREAD, *OF_ONE_CORE, *SAME_FOR_ANY)
    seconds = {f"orchard float32: {phase}": 4.0 for phase in phases_of_all}
    seconds |= {f"many: {phase}": 10.0 for phase in phases_of_all}
    seconds["orchard float32 with start-up"] = 4.0 * len(phases_of_all) + 3.0
    return Results(images=1000, many=4000, few=1000, cores=2, seconds=seconds | more)


def test_the_estimate_is_compared_with_runs_on_other_numbers_of_cores() -> None:
    """2 s of a line are fixed. One core needs twice the other 2 s if both cores shared them."""
    same = 4.0 * len(OF_ONE_CORE) + 7.0 * len(SAME_FOR_ANY) + 3.0
    on_two, on_one = 4.0 * len(SPREAD) + same, 6.0 * len(SPREAD) + same
    took = {"cores, 1": 2 * on_one, "cores, 2": on_two}
    assert format_check(measured(**took)).splitlines()[2:] == [
        f"| 1 | {2 * on_one:.0f} s | {on_one:.0f} s | -50% |",
        f"| 2 | {on_two:.0f} s | {on_two:.0f} s | +0% |",
    ]


def test_a_phase_that_export_does_not_have_takes_no_time() -> None:
    results = measured()
    fewer = {name: seconds for name, seconds in results.seconds.items() if not name.endswith(": rejects")}
    assert len(orchard_lines(replace(results, seconds=fewer))) == len(orchard_lines(results)) - 1


def test_only_families_with_amx_are_advised_for_bfloat16() -> None:
    """float32 has 200 images/s; on 1,000 images, bfloat16 saved 2.5 of 5 s."""
    rates = {"featurize float32": 200.0}
    rates |= {"orchard in one application float32: featurize": 8.0}
    rates |= {"orchard in one application bfloat16: featurize": 5.5}
    rows = {
        line.split(" | ")[0]: line.split(" | ")[2:]
        for line in format_families(measured(**rates)).splitlines()
    }
    assert rows["| m5"] == ["6,000,000", " |"]
    assert rows["| m7i"] == ["5,714,286", "11,428,571 |"]


def test_results_of_some_parts_only_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = {"images": 300, "many": 3000, "few": 2000, "machine": {"cores": 2}, "measures": {"ml.PCA": 1.0}}
    (tmp_path / "results.json").write_text(json.dumps(content | {"figures": {}}))
    assert tables.main([str(tmp_path / "results.json")]) == 2
    assert capsys.readouterr().err.endswith("the tables need all parts. Run make bench without PARTS.\n")


def test_the_phases_are_those_that_the_reports_had_and_reading_is_no_work() -> None:
    seconds = {f"many: {phase}": 1.0 for phase in (*SPREAD, *SAME_FOR_ANY)}
    seconds |= {"many: inference, workers": 10.0, "many: reading, workers": 99.0}
    seconds |= {"CPU ms per image of the jvm, float32": 2.0, "many: csv": 2.0}
    table = phases.format_table(seconds, images=10_000, cores=2)
    assert "| featurize: the JVM | 20.0 | cores in all | 500 |" in table
    assert "| featurize: inference | 10.0 | cores in all | 1,000 |" in table
    assert "| featurize | 1.0 | 2 of 2 | 5,000 |" in table
    assert "| csv | 2.0 | 1 of 2 | 5,000 |" in table
    assert not any(phase in table for phase in ("reading", "rejects", "outcomes"))


def test_tables_are_written_into_their_places_again_and_again() -> None:
    page = "Before.\n\n<!-- table: check -->\nold\n<!-- end of table -->\n\nAfter.\n"
    filled = tables.fill_in(page, {"check": "| new |"})
    assert filled == ("Before.\n\n<!-- table: check -->\n\n| new |\n\n<!-- end of table -->\n\nAfter.\n")
    assert tables.fill_in(filled, {"check": "| new |"}) == filled


def test_the_tables_of_the_page_are_those_of_the_committed_results() -> None:
    page = (ROOT / "docs" / "explanation" / "performance.md").read_text()
    built = tables.build_tables(ROOT / "benchmarks" / "results.json")
    assert [name for name in built if f"<!-- table: {name} -->" not in page] == []
    assert tables.fill_in(page, built) == page, "run `make bench-docs`"
