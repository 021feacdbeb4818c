"""One round: every contender once, one after the other, on the same images and cores.

Both measures of a ratio come from the same part, or from consecutive parts.
"""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from benchmarks.agreement import require_agreement
from benchmarks.contenders import slow_store
from benchmarks.contenders.bare_runtime import BareRuntime
from benchmarks.contenders.jobs import (
    COMPONENTS,
    JobRun,
    Place,
    run_application,
    run_demo,
    run_job,
    run_notebook,
    run_peer,
    run_three_jobs,
)
from benchmarks.feature_rows import draw_rows, draw_runs
from benchmarks.machine import LOUD, limit_cores, wait_until_quiet
from orchard_jobs.contract import ExportJob, FeaturizeJob, Precision, ReduceJob
from orchard_jobs.images.manifest import write_listing
from orchard_jobs.run_folder import RunFolder

DELAY = 0.03  # seconds, added to every GET
ROWS = 100_000  # for ml.PCA and reduce: 10,000 rows would mostly measure a session's first queries
REFIT_ROWS = 400_000  # for the same reason
STORE_ENVIRONMENT = {
    "AWS_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",  # the store on loopback needs no credentials, but its client does
    "AWS_SECRET_ACCESS_KEY": "none",
}

Measured = dict[str, float]


@dataclass(frozen=True)
class Folders:
    """The images: one folder for each number of them.

    Args:
        images: N, from images to CSV.
        many: MANY, for features and reduce.
        few: FEW, for the cost per image; None if MANY is too small for that.
        demo: For ``make demo``; None if it is not measured.
    """

    images: Path
    many: Path
    few: Path | None
    demo: Path | None


@dataclass(frozen=True)
class Bench:
    """The set-up of a benchmark.

    Args:
        folder: Folder for results and logs.
        cores: Number of cores for every contender.
        model: Folder of the model artefact.
        weights: Weights of that model, for ``make demo``; None: its default.
        images: Images for every contender.
        bare: The bare runtime with the model.
        peers: Which of ``daft`` and ``ray`` to measure.
        precisions: Precisions to measure in one application.
        busy: Number of cores that other processes kept busy at the start, by contender.
    """

    folder: Path
    cores: int
    model: Path
    weights: Path | None
    images: Folders
    bare: BareRuntime
    peers: Sequence[str]
    precisions: Sequence[Precision]
    busy: dict[str, float] = field(default_factory=dict)

    ROUND: ClassVar[tuple[str, ...]] = (
        "pipelines", "features", "components", "further", "stores", "demo",
    )  # fmt: skip
    """The parts of every round."""

    ONCE: ClassVar[tuple[str, ...]] = ("rows", "refit", "sizing")
    """Parts that are measured once, after the rounds, because they take too long."""

    def run(self, part: str) -> Measured:
        """Run a part; return its measures by name."""
        parts: dict[str, Callable[[], Measured]] = {
            "pipelines": self.compare_pipelines,
            "further": self.compare_further_images,
            "components": self.compare_components,
            "features": self.compare_features,
            "rows": self.compare_rows,
            "stores": self.compare_stores,
            "demo": self.measure_demo,
            "refit": self.compare_refit,
            "sizing": self.compare_cores,
        }
        return parts[part]()

    def compare_pipelines(self) -> Measured:
        """Compare N images to CSV: Orchard in three steps, the notebook pipeline, Orchard in one application.

        Raises:
            DisagreementError: if they computed different features.
        """
        steps, notebook = self._place("three-steps"), self._place("notebook")
        with self._announce("three steps"):
            runs = run_three_jobs(steps, self.images.images, self.model, Precision.FLOAT32)
        measured = _measure_jobs("orchard float32", runs)
        with self._announce("the notebook pipeline"):
            cost, parts = run_notebook(notebook, images=self.images.images, model=self.model)
        measured |= {f"notebook {part}": seconds for part, seconds in parts.items()}
        measured |= {
            "notebook": parts["features"] + parts["components"],
            "notebook with start-up": cost.seconds,
        }
        self._require_agreement(notebook, steps, self.images.images)
        for precision in self.precisions:
            name = f"orchard in one application {precision}"
            place = self._place(name.replace(" ", "-"))
            with self._announce(f"one application, {precision}"):
                runs = run_application(place, self.images.images, self.model, precision)
            self._require_agreement(notebook, place, self.images.images, precision)
            measured |= _measure_jobs(name, runs)
        return measured

    def compare_features(self) -> Measured:
        """Compare MANY images to Parquet: featurize and the peers, between two runs of the bare runtime.

        Raises:
            DisagreementError: if they computed different features.
        """
        before, place = self._measure_bare(), self._place("many")
        run = self._featurize(place, self.images.many)
        measured = {"featurize float32": run.images / run.phase("featurize")}
        for peer in self.peers:
            peers_place = self._place(peer)
            with self._announce(f"{peer}, {run.images} images"):
                measured[peer] = run.images / run_peer(peers_place, peer, self.images.many, self.model)
            self._require_agreement(peers_place, place, self.images.many)
        after = self._measure_bare()
        measured |= {name: (before[name] + after[name]) / 2 for name in before}
        measured |= {f"peak MB of a {role}, float32": memory for role, memory in run.cost.memory.items()}
        measured |= {
            f"CPU ms per image of the {role}, float32": 1000 * seconds / run.images
            for role, seconds in run.cost.cpu.items()
        }
        measured["seconds per image, many"] = run.phase("featurize") / run.images
        if self.images.few:
            few = self._featurize(self._place("few"), self.images.few)
            measured["seconds per image, few"] = few.phase("featurize") / few.images
        return measured | _measure_phases("many", {"featurize": run})

    def compare_components(self) -> Measured:
        """Compare reduce, ``ml.PCA`` and export on the features of MANY images."""
        features, place = self._features_of_many(), self._place("reduce")
        with self._announce("reduce"):
            reduced = run_job(place, ReduceJob((f"file://{features}",), place.uri, components=COMPONENTS))
        with self._announce("ml.PCA"):
            _, parts = run_notebook(self._place("ml-pca"), features=features)
        with self._announce("export"):
            job = ExportJob((f"{place.uri}/components",), (f"file://{features}",), place.uri)
            exported = run_job(place, job)
        return {
            "ml.PCA": parts["components"],
            "reduce": reduced.seconds,
            "peak MB of a driver, reduce": reduced.cost.memory.get("driver", 0.0),
            **_measure_phases("many", {"reduce": reduced, "export": exported}),
        }

    def compare_further_images(self) -> Measured:
        """Measure the notebook pipeline on MANY images; Orchard's time is known from another part."""
        with self._announce("the notebook pipeline, many images"):
            _, parts = run_notebook(self._place("notebook"), images=self.images.many, model=self.model)
        return {f"notebook {part}, many": parts[part] for part in ("features", "components")}

    def compare_rows(self) -> Measured:
        """Compare reduce and ``ml.PCA`` on ROWS drawn rows."""
        features = draw_rows(self._features_of_many(), ROWS, self._place("rows").folder)
        place = self._place("reduce-rows")
        with self._announce(f"reduce, {ROWS:,} rows"):
            reduced = run_job(place, ReduceJob((f"file://{features}",), place.uri, components=COMPONENTS))
        with self._announce(f"ml.PCA, {ROWS:,} rows"):
            _, parts = run_notebook(self._place("ml-pca-rows"), features=features)
        return {"ml.PCA, rows": parts["components"], "reduce, rows": reduced.seconds}

    def compare_stores(self) -> Measured:
        """Measure featurize with N images from a store on loopback, without and with a delay per GET."""
        measured: Measured = {}
        for name, delay in (("store", 0.0), ("slow store", DELAY)):
            place = self._place(name.replace(" ", "-"))
            manifest = f"{place.uri}/manifest.parquet"
            write_listing(f"file://{self.images.images}", manifest)  # the store only handles GET
            job = FeaturizeJob(f"s3://{slow_store.BUCKET}", f"file://{self.model}", place.uri, manifest)
            serving = slow_store.serve(self.images.images, delay)
            with serving as endpoint, self._announce(f"featurize from a {name}"):
                run = run_job(place, job, **STORE_ENVIRONMENT, AWS_ENDPOINT_URL_S3=endpoint)
            measured[name] = run.images / run.phase("featurize")
        return measured

    def measure_demo(self) -> Measured:
        """Measure ``make demo``: seconds of the whole command and of its three jobs."""
        if self.images.demo is None:
            raise ValueError("make demo has no images")
        with self._announce("make demo"):
            cost, of_jobs = run_demo(self._place("demo"), self.images.demo, self.weights)
        return {"demo": cost.seconds, "demo: jobs": of_jobs}

    def compare_refit(self) -> Measured:
        """Measure statistics and fit on REFIT_ROWS rows: first 99 % of them, then the rest as new."""
        features, known, new = self._features_of_many(), self._place("known"), self._place("new")
        draw_runs(features, REFIT_ROWS, known.folder, new.folder)
        before, after = RunFolder(known.uri), RunFolder(new.uri)
        with self._announce("reduce, 99 % of the rows"):
            first = run_job(known, ReduceJob((before.features,), known.uri, components=COMPONENTS))
        with self._announce("reduce, with 1 % as new"):
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

    def compare_cores(self) -> Measured:
        """Measure few images to CSV on one core and on all, to check the estimates for clusters."""
        measured: Measured = {}
        for cores in sorted({1, self.cores}):
            place = self._place(f"cores-{cores}", cores)
            with limit_cores(cores), self._announce(f"three steps on {cores} of {self.cores} cores"):
                images = self.images.few or self.images.images
                runs = run_three_jobs(place, images, self.model, Precision.FLOAT32)
            measured[f"cores, {cores}"] = sum(run.cost.seconds for run in runs.values())
        return measured

    def _measure_bare(self) -> Measured:
        with self._announce("the bare runtime on tensors"):
            best = self.bare.batch_size
            measured = {"bare, batch size": best, "bare, tensors": self.bare.measure_tensors(best)}
            measured["bare, tensors one by one"] = (
                measured["bare, tensors"] if best == 1 else self.bare.measure_tensors(1)
            )
        with self._announce("the bare runtime with decode"):
            measured["bare, decode"] = self.bare.measure_with_decode()
        return measured

    def _features_of_many(self) -> Path:
        """Return the features of MANY images, from an earlier part or computed now."""
        place = Place(self.folder / "many", self.cores)
        if not (place.folder / "reports" / "featurize.json").exists():
            self._featurize(self._place("many"), self.images.many)
        return place.folder / "features"

    def _featurize(self, place: Place, images: Path) -> JobRun:
        with self._announce(f"featurize, {images.name} images"):
            return run_job(place, FeaturizeJob(f"file://{images}", f"file://{self.model}", place.uri))

    def _require_agreement(
        self, theirs: Place, ours: Place, images: Path, precision: Precision = Precision.FLOAT32
    ) -> None:
        require_agreement(theirs.folder / "features", ours.folder / "features", images, precision)

    def _place(self, name: str, cores: int | None = None) -> Place:
        """Return an empty folder, so that no contender finds results of an earlier round."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return Place(folder, cores or self.cores)

    @contextmanager
    def _announce(self, contender: str) -> Iterator[None]:
        """Wait for a quiet machine; print what is measured, how long it took, and how busy others were."""
        print(f"  {contender:<44}", end="", flush=True)
        busy = wait_until_quiet()
        started = time.perf_counter()
        yield
        print(f"{time.perf_counter() - started:7.1f} s", end="")
        if busy is None:
            print(flush=True)
            return
        self.busy[contender] = max(busy, self.busy.get(contender, 0.0))
        print(
            f"   {busy:.2f} cores busy before{'   WARNING: other processes are busy' * (busy > LOUD)}",
            flush=True,
        )


def _measure_jobs(name: str, runs: Mapping[str, JobRun]) -> Measured:
    """Return the seconds of all jobs without and with session start-up, and of their phases."""
    return {
        name: sum(run.seconds for run in runs.values()),
        f"{name} with start-up": sum(run.cost.seconds for run in runs.values()),
        **_measure_phases(name, runs),
    }


def _measure_phases(name: str, runs: Mapping[str, JobRun]) -> Measured:
    """Return, for each job, its seconds, phases and start-up, and the seconds of all workers together."""
    measured: Measured = {}
    for job, run in runs.items():
        measured[f"{name}: all of {job}"] = run.seconds
        measured[f"{name}: start-up of {job}"] = run.cost.seconds - run.seconds
        measured |= {f"{name}: {phase}": seconds for phase, seconds in run.report["phases"].items()}
        workers = run.report.get("worker_seconds", {})
        measured |= {f"{name}: {part}, workers": seconds for part, seconds in workers.items()}
    return measured
