"""A progress bar per job on a terminal; a line per job elsewhere."""

from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

COLUMNS = (
    TextColumn("{task.description:<10}"),
    BarColumn(),
    TextColumn("{task.fields[detail]}"),
    TimeElapsedColumn(),
)


class JobBars:
    """Shows the jobs' metrics."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(*COLUMNS, console=console)
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        return self  # nothing is drawn before the first job

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._progress.stop()

    def show(self, job: str, metrics: dict[str, Any]) -> None:
        """Show the current metrics of a job; {} while it starts."""
        if job not in self._bars:
            self._progress.start()
            self._bars[job] = self._progress.add_task(job, total=None, detail="starting")
        if not metrics:
            return
        done, total = metrics.get("done"), metrics.get("total")
        detail = f"{done:,} of {total:,} images, {metrics['images_per_second']} images/s" if total else ""
        has_ended = metrics["state"] != "running"
        self._progress.update(
            self._bars[job],
            completed=(total or 1) if has_ended else (done or 0),
            total=total or (1 if has_ended else None),
            detail=detail or metrics["state"],
        )
        if has_ended:
            self._progress.stop_task(self._bars[job])
