"""The startup script of managed Airflow, the only way to pass it the DAGs' settings as variables.

They are the outputs of the lake's stack and, over them, a file of the user's: lines of ``NAME=value``, as a
shell reads them.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchard.settings.settings import Settings, table
from orchard_jobs.errors import OrchardError

KEY = "startup.sh"
HEADER = (
    "#!/bin/sh\n# Written by `orchard deploy`, do not edit. Use --settings to add to the stack's settings.\n"
)
OF_DEPLOYMENT = ("ORCHARD_MODEL", "ORCHARD_CODE")
"""Set in deployed.json, which belongs to the deployed DAGs; a variable would override it."""

_NAME = re.compile(r"[A-Z][A-Z0-9_]*")


def read_settings(path: Path) -> dict[str, str]:
    """Return the variables of a file; those to remove have the value ''.

    Raises:
        OrchardError: if it does not exist, a line is not an assignment, or a setting is unknown.
    """
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise OrchardError(
            f"the settings {path}", rule=str(error), remedy="Use a file with lines NAME=value"
        ) from None
    found = parse_variables(text, str(path))
    known = {variable.name for variable in table()}
    for name in found:
        if name in OF_DEPLOYMENT:
            remedy = "Remove it; `orchard deploy --model` selects the model"
            raise OrchardError(f"{path} sets {name}", rule="deployments set it themselves", remedy=remedy)
        if name.startswith("ORCHARD_") and name not in known:
            remedy = "Correct it; docs/reference/settings.md has them all"
            raise OrchardError(f"{path} sets {name}", rule="there is no such setting", remedy=remedy)
    return found


def parse_variables(text: str, source: str) -> dict[str, str]:
    """Parse lines of ``NAME=value`` or ``export NAME=value``.

    Raises:
        OrchardError: for the first line that is neither, or that a shell would expand.
    """
    return dict(_parse_lines(text, source))


def build_startup_script(variables: Mapping[str, str]) -> bytes:
    """Return the script. A shell reads every value literally."""
    lines = [f"export {name}={_quote(value)}\n" for name, value in sorted(variables.items())]
    return f"{HEADER}{''.join(lines)}".encode()


def merge_settings(
    of_stack: Mapping[str, str], given: Mapping[str, str], there: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables of the next script: the stack's, overridden by those given.

    Raises:
        OrchardError: if a variable of the existing script would be lost silently.
    """
    dropped = sorted({*there} - {*of_stack, *given})
    if dropped:
        raise OrchardError(
            f"{KEY} in the bucket sets {', '.join(dropped)}",
            rule="neither the stack nor --settings does, and settings are not removed silently",
            remedy=f"Add it to the file of --settings, or remove it there with {dropped[0]}=",
        )
    return {name: value for name, value in {**of_stack, **given}.items() if value}


def validate_variables(variables: Mapping[str, str], model: str) -> None:
    """Raise OrchardError for the first variable that would keep the DAGs from loading."""
    Settings.from_env({**variables, "ORCHARD_MODEL": model})


def _parse_lines(text: str, source: str) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError:  # an unbalanced quotation mark
            words = [""]
        if not words:
            continue
        if words[0] == "export":
            words = words[1:]
        name, equals, value = words[0].partition("=") if len(words) == 1 else ("", "", "")
        raw = line.partition("=")[2].strip()
        is_literal = not set(value) & set("$`") or raw.startswith("'")
        if not (_NAME.fullmatch(name) and equals and is_literal and value.isprintable()):
            raise OrchardError(
                f"line {number} of {source}",
                rule="it must be NAME=value, without anything that a shell expands",
                remedy="Write one setting per line, NAME='value'",
            )
        yield name, value


def _quote(value: str) -> str:
    """Always quote, so that no reader needs to know which characters are safe."""
    return "'" + value.replace("'", "'\"'\"'") + "'"
