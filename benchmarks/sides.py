"""One round: every side once, one after the other, on the same images and cores. Each says what it does."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks.agreement import require_agreement
from benchmarks.contenders import slow_store
from benchmarks.contenders.bare_runtime import Limit
from benchmarks.contenders.jobs import (
    COMPONENTS,
    JobRun,
    Place,
    run_application,
    run_job,
    run_notebook,
    run_peer,
    run_three_jobs,
)
from benchmarks.feature_rows import draw_runs
from benchmarks.machine import load_average, on_cores
from benchmarks.pictures import find_images, write_manifest
from orchard_jobs.contract import ExportJob, FeaturizeJob, Precision, ReduceJob
from orchard_jobs.run_folder import RunFolder

DELAY = 0.03  # seconds, of every GET
ROWS = 400_000  # of the refit: with few, both of its sides are the first queries of a session
PEERS = ("daft", "ray")
WAYS = {"orchard in one application": run_application, "orchard": run_three_jobs}
STORE_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",  # the store on loopback asks for no credentials, its client does
    "AWS_SECRET_ACCESS_KEY": "none",
}

Measured = dict[str, float]


@dataclass(frozen=True)
class Bench:
    """What is run on what.

    Args:
        folder: For results and logs.
        cores: That every side uses.
        model: Folder of the model artefact.
        images: Folder of the images of the comparison from images to CSV.
        many: Folder of more images: for featurize alone, and reduce.
        few: Folder of fewer, for the cost per image; None where ``many`` are too few to tell.
        limits: The bare runtime, by precision; Orchard runs in these precisions.
    """

    folder: Path
    cores: int
    model: Path
    images: Path
    many: Path
    few: Path | None
    limits: Mapping[Precision, Limit]

    PARTS: ClassVar[tuple[str, ...]] = ("pipelines", "limit", "reduce", "refit", "stores", "sizing", "peers")

    def run(self, part: str) -> Measured:
        """Run one of PARTS; return what it measured, by name."""
        compare: dict[str, Callable[[], Measured]] = {
            "pipelines": self.compare_pipelines,
            "limit": self.compare_with_limit,
            "reduce": self.compare_reduce,
            "refit": self.compare_refit,
            "stores": self.compare_stores,
            "sizing": self.compare_for_sizing,
            "peers": self.compare_peers,
        }
        return compare[part]()

    def compare_pipelines(self) -> Measured:
        """Images to CSV: the notebook pipeline; Orchard in each precision, as one application and as three.

        Raises:
            DisagreementError: where they computed different features.
        """
        place = self._place("notebook")
        with _say("the notebook pipeline"):
            cost, parts = run_notebook(place, images=self.images, model=self.model)
        measured = {f"notebook {part}": seconds for part, seconds in parts.items()}
        measured["notebook"] = sum(parts.values()) - parts["session"]
        measured["notebook with start-up"] = cost.seconds
        for precision in self.limits:
            for way, run_jobs in WAYS.items():
                name = f"{way} {precision}"
                with _say(name):
                    ours = self._place(name.replace(" ", "-"))
                    runs = run_jobs(ours, self.images, self.model, precision)
                require_agreement(place.folder / "features", ours.folder / "features", self.images, precision)
                measured[name] = sum(run.seconds for run in runs.values())
                measured[f"{name} with start-up"] = sum(run.cost.seconds for run in runs.values())
                measured |= _phases(name, runs)
        return measured

    def compare_with_limit(self) -> Measured:
        """Featurize many images and few, and the bare runtime before and after."""
        measured: Measured = {}
        for precision, limit in self.limits.items():
            with _say(f"the limit, {precision}"):
                before = limit.measure()
            run, count = self._featurize(self._place(f"many-{precision}"), self.many, precision)
            with _say(f"the limit, {precision}"):
                after = limit.measure()
            measured[f"limit {precision}"] = (before + after) / 2
            measured[f"featurize {precision}"] = count / run.phase("featurize")
            for role in run.cost.memory:
                measured[f"peak MB of a {role}, {precision}"] = run.cost.memory[role]
                measured[f"CPU ms per image of the {role}, {precision}"] = 1000 * run.cost.cpu[role] / count
            if precision is Precision.FLOAT32:
                measured["seconds per image, many"] = run.phase("featurize") / count
                measured |= _phases("many", {"featurize": run})
        if self.few:
            run, count = self._featurize(self._place("few"), self.few, Precision.FLOAT32)
            measured["seconds per image, few"] = run.phase("featurize") / count
            measured["CPU ms per image of the jvm, few"] = 1000 * run.cost.cpu.get("jvm", 0.0) / count
        return measured

    def compare_reduce(self) -> Measured:
        """On the features of the many: ``ml.PCA``, reduce and export."""
        features = self._features_of_many()
        with _say("ml.PCA"):
            _, parts = run_notebook(self._place("ml-pca"), features=features)
        place = self._place("reduce")
        with _say("reduce"):
            first = run_job(place, ReduceJob((f"file://{features}",), place.uri, components=COMPONENTS))
        with _say("export"):
            exported = run_job(
                place, ExportJob((f"{place.uri}/components",), (f"file://{features}",), place.uri)
            )
        return {
            "ml.PCA": parts["components"],
            "reduce": first.seconds,
            "peak MB of a driver, reduce": first.cost.memory.get("driver", 0.0),
            **_phases("many", {"reduce": first, "export": exported}),
        }

    def compare_refit(self) -> Measured:
        """The statistics and the fit of ROWS drawn rows: of 99 % of them, and then with the rest as new."""
        features, known, new = self._features_of_many(), self._place("known"), self._place("new")
        draw_runs(features, ROWS, known.folder, new.folder)
        before, after = RunFolder(known.uri), RunFolder(new.uri)
        with _say("reduce, 99 % of the rows"):
            first = run_job(known, ReduceJob((before.features,), known.uri, components=COMPONENTS))
        with _say("reduce, with 1 % as new"):
            refit = run_job(
                new,
                ReduceJob(
                    (after.features,),
                    new.uri,
                    components=COMPONENTS,
                    earlier=after.earlier,
                    statistics=(before.statistics,),
                ),
            )
        return {
            "first fit": first.phase("statistics") + first.phase("fit"),
            "refit": refit.phase("statistics") + refit.phase("fit"),
        }

    def compare_for_sizing(self) -> Measured:
        """What estimates for clusters need besides: the notebook on many; Orchard on one core and on all."""
        with _say("the notebook pipeline, many"):
            _, parts = run_notebook(self._place("notebook-many"), images=self.many, model=self.model)
        measured = {f"notebook {part}, many": parts[part] for part in ("features", "components")}
        for cores in sorted({1, self.cores}):
            place = self._place(f"cores-{cores}", cores)
            with on_cores(cores), _say(f"Orchard on {cores} of {self.cores} cores"):
                runs = run_three_jobs(place, self.few or self.images, self.model, Precision.FLOAT32)
            measured[f"cores, {cores}"] = sum(run.cost.seconds for run in runs.values())
        return measured

    def compare_stores(self) -> Measured:
        """Featurize from a store on loopback, without and with a delay of every GET."""
        measured: Measured = {}
        for name, delay in (("store", 0.0), ("slow store", DELAY)):
            place = self._place(name.replace(" ", "-"))
            manifest = write_manifest(self.images, place.folder / "manifest.parquet")
            job = FeaturizeJob(
                f"s3://{slow_store.BUCKET}", f"file://{self.model}", place.uri, f"file://{manifest}"
            )
            with slow_store.serve(self.images, delay) as endpoint, _say(f"featurize from a {name}"):
                run = run_job(place, job, **STORE_ENVIRONMENT, AWS_ENDPOINT_URL_S3=endpoint)
            measured[name] = int(run.report["total"]) / run.phase("featurize")
        return measured

    def compare_peers(self) -> Measured:
        """Many images to Parquet of their features: featurize, and each of the peers.

        Raises:
            DisagreementError: where they computed different features.
        """
        ours, precision = self._place("many-float32"), Precision.FLOAT32
        run, count = self._featurize(ours, self.many, precision)
        measured = {"featurize beside peers": count / run.phase("featurize")}
        for peer in PEERS:
            place = self._place(peer)
            with _say(peer):
                measured[peer] = count / run_peer(place, peer, self.many, self.model)
            require_agreement(
                place.folder / "features", ours.folder / "features", self.many, Precision.FLOAT32
            )
        return measured

    def _features_of_many(self) -> Path:
        """As the part before left them, or made now."""
        folder = self.folder / f"many-{Precision.FLOAT32}"
        if not (folder / "features" / "_SUCCESS").exists():
            self._featurize(self._place(folder.name), self.many, Precision.FLOAT32)
        return folder / "features"

    def _featurize(self, place: Place, images: Path, precision: Precision) -> tuple[JobRun, int]:
        job = FeaturizeJob(f"file://{images}", f"file://{self.model}", place.uri, precision=precision)
        with _say(f"featurize, {len(find_images(images))} images, {precision}"):
            run = run_job(place, job)
        return run, int(run.report["total"])

    def _place(self, name: str, cores: int | None = None) -> Place:
        """An empty folder: no side finds what a round before has left."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Place(folder, cores or self.cores)


def _phases(name: str, runs: Mapping[str, JobRun]) -> Measured:
    """Wall-clock seconds of each job's phases, its start-up, and the seconds of all workers together."""
    measured: Measured = {}
    for job, run in runs.items():
        measured[f"{name}: start-up of {job}"] = run.cost.seconds - run.seconds
        measured |= {f"{name}: {phase}": seconds for phase, seconds in run.report["phases"].items()}
        workers = run.report.get("worker_seconds", {})
        measured |= {f"{name}: {part}, workers": seconds for part, seconds in workers.items()}
    return measured


@contextmanager
def _say(what: str) -> Iterator[None]:
    """Say what is measured, how long it took, and how busy the machine was."""
    print(f"  {what:<44}", end="", flush=True)
    started = time.perf_counter()
    yield
    print(f"{time.perf_counter() - started:7.1f} s   load {load_average()}", flush=True)
