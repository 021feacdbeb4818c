"""The arguments of the three Spark jobs, by their dataclasses."""

import dataclasses
import typing
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from docs.generate.docstrings import read_arguments
from docs.generate.markdown import format_code, format_table
from orchard_jobs.contract import ExportJob, FeaturizeJob, Job, ReduceJob

JOBS: Sequence[type[Job]] = (FeaturizeJob, ReduceJob, ExportJob)
KINDS = {str: "URI or text", int: "whole number", float: "number"}


def build_arguments(jobs: Sequence[type[Job]] = JOBS) -> str:
    return "\n\n".join(f"## {job.NAME}\n\n{build_job(job)}" for job in jobs)


def build_job(job: Any) -> str:
    """Return the table of one job.

    Raises:
        LookupError: for an argument that its docstring says nothing of.
    """
    hints, meanings = typing.get_type_hints(job), read_arguments(job.__doc__)
    missing = [field.name for field in dataclasses.fields(job) if field.name not in meanings]
    if missing:
        raise LookupError(f"{job.__name__}: nothing is said of {', '.join(missing)}")
    rows = (
        [
            format_code(f"--{field.name.replace('_', '-')}"),
            describe_kind(hints[field.name]),
            show_default(field),
            meanings[field.name],
        ]
        for field in dataclasses.fields(job)
    )
    return format_table(["argument", "takes", "default", "what it is"], rows)


def describe_kind(hint: Any) -> str:
    if typing.get_origin(hint) is tuple:
        return "URI; may be repeated"
    scalar = next((one for one in typing.get_args(hint) if one is not type(None)), hint)
    if issubclass(scalar, StrEnum):
        return " or ".join(format_code(member.value) for member in scalar)
    return KINDS[scalar]


def show_default(field: "dataclasses.Field[Any]") -> str:
    if field.default is dataclasses.MISSING:
        return "required"
    return "none" if field.default in (None, ()) else format_code(field.default)
