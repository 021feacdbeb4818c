"""What can become of an image."""

from docs.generate.docstrings import read_attributes
from docs.generate.markdown import format_code, format_table
from orchard.sensing.diff import RETRIABLE
from orchard_jobs.contract import Status


def build_statuses(statuses: type[Status] = Status) -> str:
    retried, meanings = RETRIABLE.to_pylist(), read_attributes(statuses)
    rows = (
        [format_code(status.value), meanings[name], "yes" if status.value in retried else "no"]
        for name, status in statuses.__members__.items()
    )
    return format_table(["status", "meaning", "tried again"], rows)
