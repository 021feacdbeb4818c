"""What must hold after every fault, whatever it was."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchard.lake.objects import local_path
from tests.support.polling import wait_for
from tests.system.faults.scenario import ENDED, Scenario


@dataclass(frozen=True)
class Reference:
    """What a run publishes that readers look at: the bytes of both CSVs and of the basis."""

    features: bytes
    rejects: bytes
    basis: bytes

    @classmethod
    def of(cls, scenario: Scenario) -> "Reference":
        """Read what the newest published run of the lake has."""
        latest = scenario.latest()
        assert latest, "nothing is published"
        folder = local_path(latest["csv"]).parent
        basis = scenario.lake / "basis" / latest["basis_id"] / "basis.npz"
        return cls(
            (folder / "features.csv").read_bytes(), (folder / "rejects.csv").read_bytes(), basis.read_bytes()
        )


def prove_contained(scenario: Scenario, *, published: bool, clusters: int | None = None) -> None:
    """Prove that the fault did no harm, and that the next run computes what an undisturbed one does.

    Args:
        scenario: After its disturbed run.
        published: Whether that run is to have succeeded and published, in spite of the fault.
        clusters: How many it is to have created; None for any number.
    """
    found = prove_clusters_ended(scenario)
    assert clusters is None or len(found) == clusters, [cluster["Status"] for cluster in found]
    prove_no_process(scenario)
    prove_nothing_partial(scenario, runs=1 if published else 0)
    scenario.undisturbed()
    prove_next_run(scenario)
    prove_same_bytes(scenario)


def prove_clusters_ended(scenario: Scenario) -> list[dict[str, Any]]:
    """(a) Every cluster is in a terminal state; return them."""
    wait_for(
        lambda: all(cluster["Status"]["State"] in ENDED for cluster in scenario.clusters()),
        f"the clusters of {scenario.name} to end",
    )
    scenario.proved.append("clusters ended")
    return scenario.clusters()


def prove_no_process(scenario: Scenario) -> None:
    """(b) No process of a step or a cluster lives."""
    assert [process.cmdline() for process in scenario.processes()] == []
    scenario.proved.append("no process")


def prove_nothing_partial(scenario: Scenario, *, runs: int) -> None:
    """(c) That many runs are published, and each of them is whole."""
    latest = scenario.latest() or {"runs": []}
    assert len(latest["runs"]) == runs, latest
    for run in latest["runs"]:
        assert_whole(scenario.lake, run["run"])
    scenario.proved.append("nothing partial")


def prove_next_run(scenario: Scenario) -> None:
    """(d) The next run succeeds. Where the disturbed one published, there is nothing new for it."""
    dag_run = scenario.run()
    assert str(dag_run.state) == "success", [
        f"{ti.task_id} {ti.state}" for ti in dag_run.get_task_instances()
    ]
    scenario.proved.append("next run succeeds")


def prove_same_bytes(scenario: Scenario) -> None:
    """(e) What is published now is, byte for byte, what an undisturbed run publishes."""
    ours, theirs = Reference.of(scenario), scenario.reference
    assert ours.rejects == theirs.rejects, f"rejects.csv: {ours.rejects!r}, not {theirs.rejects!r}"
    assert ours.features == theirs.features, f"features.csv: {ours.features!r}, not {theirs.features!r}"
    assert ours.basis == theirs.basis, "basis.npz"
    scenario.proved.append("same bytes")


def run_undisturbed(scenario: Scenario) -> Reference:
    """Return what a run publishes that nothing disturbs, on the scenario's images as they are now."""
    folder = scenario.folder / "undisturbed"
    folder.mkdir()
    undisturbed = Scenario(scenario.name, folder, scenario.base, scenario.node)
    assert str(undisturbed.run().state) == "success"
    return Reference.of(undisturbed)


def assert_whole(lake: Path, slug: str) -> None:
    """A published run has everything that readers are told of, and its counts add up."""
    run = json.loads((lake / "runs" / slug / "run.json").read_text())
    counts = run["counts"]
    assert counts["listed"] == counts["featurized"] + counts["rejected"] + counts["known"], counts
    rows = [*_rows(local_path(run["csv"]))]
    rejects = [*_rows(local_path(run["csv"]).with_name("rejects.csv"))]
    assert len(rows) - 1 == run["rows"]
    assert len(rejects) - 1 == counts["rejected"]
    assert {len(row) for row in rows} == {2 + run["components"]}
    assert (lake / "ledger" / f"{slug}.parquet").exists()
    assert (lake / "basis" / run["basis_id"] / "basis.npz").exists()


def _rows(path: Path) -> Iterator[list[str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        yield from csv.reader(lines)
