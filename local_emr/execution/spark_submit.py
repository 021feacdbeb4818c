"""Adapts the options of a `spark-submit` command in the same way as the cluster's spark-defaults."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from local_emr.execution.spark_conf import NO_CAPABILITIES, Adapted, Capabilities, adapt_property

_FLAGS = frozenset(
    {"--verbose", "-v", "--supervise", "--help", "-h", "--version", "--usage-error", "--load-spark-defaults"}
)
_PROPERTY_OF_OPTION = {
    "--master": "spark.master",
    "--deploy-mode": "spark.submit.deployMode",
    "--driver-memory": "spark.driver.memory",
    "--executor-memory": "spark.executor.memory",
}


def adapt_arguments(
    arguments: Sequence[str], capabilities: Capabilities = NO_CAPABILITIES
) -> tuple[list[str], list[str]]:
    """Return the arguments of spark-submit adapted to this machine, and notes on what was changed.

    Only options before the application are Spark's. The application and its arguments stay as they are.
    """
    adapted: list[str] = []
    notes: list[str] = []
    end = 0
    for option in _options(arguments):
        end += len(option)
        kept, note = _adapt_option(option, capabilities)
        adapted += kept
        notes += [note] if note else []
    return adapted + list(arguments[end:]), notes


def names_properties(arguments: Sequence[str]) -> bool:
    """Return whether an option names a properties file, which replaces the cluster's defaults."""
    names = {option[0].partition("=")[0] for option in _options(arguments)}
    return not names.isdisjoint(("--properties-file", "--load-spark-defaults"))


def split_options(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split the options from the application and its arguments, which are empty without an application."""
    end = sum(len(option) for option in _options(arguments))
    return list(arguments[:end]), list(arguments[end:])


def _options(arguments: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the options before the application: `(--flag,)`, `(--name=value,)` or `(--name, value)`."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        alone = arguments[at] in _FLAGS or "=" in arguments[at]
        option = tuple(arguments[at : at + (1 if alone else 2)])
        yield option
        at += len(option)


def _adapt_option(option: tuple[str, ...], capabilities: Capabilities) -> tuple[tuple[str, ...], str | None]:
    name, _, value = option[0].partition("=") if len(option) == 1 else (option[0], "", option[1])
    if name in ("--conf", "-c") and "=" in value:
        key, _, setting = value.partition("=")
        adapted = adapt_property(key, setting, capabilities)
        return _rebuild(option, adapted, ("--conf", f"{key}={adapted.value}"))
    if name in _PROPERTY_OF_OPTION:
        adapted = adapt_property(_PROPERTY_OF_OPTION[name], value, capabilities)
        return _rebuild(option, adapted, (name, str(adapted.value)))
    return option, None


def _rebuild(
    option: tuple[str, ...], adapted: Adapted, changed: tuple[str, ...]
) -> tuple[tuple[str, ...], str | None]:
    if adapted.note is None:
        return option, None
    return (changed if adapted.value is not None else ()), adapted.note
