"""Validates the input before any work is done: ``python3 local_airflow/preflight.py demo|up|setup``.

make runs it with any Python before anything is installed: standard library only, with ``spark_jobs`` on the
PYTHONPATH. It reads the variables that the Makefile passes on: IMAGES, WEIGHTS, LAKE, PORT, EMR_PORT. The
command line passes its options instead.
"""

from __future__ import annotations  # so that an old Python gets as far as the error about its version

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from orchard_jobs.errors import OrchardError

PYTHONS = ((3, 11), (3, 13))
JAVAS = (17, 21)
DEFAULT_UI_PORT = "8080"
WEIGHTS_SUFFIXES = (".h5", ".keras")
GLOB_CHARACTERS = "*?[]{}\\,"  # Hadoop would expand these in a path


class Options:
    """The user's input, by the names of make's variables.

    Args:
        values: '' or absent where the user gave nothing.
        spell: Returns the name that the user knows for a variable, such as ``--lake`` for ``LAKE``.
    """

    def __init__(self, values: Mapping[str, str], spell: Callable[[str], str] = str) -> None:
        self._values = values
        self.spell = spell

    def value(self, name: str, default: str = "") -> str:
        return self._values.get(name) or default

    def show(self, name: str, default: str = "") -> str:
        return f"{self.spell(name)}={self.value(name, default)}"


def main(target: str) -> int:
    """Check make's variables; return the exit code."""
    try:
        check(target, Options(os.environ))
    except OrchardError as error:
        print(f"orchard: {error.message}\nhint: {error.hint}", file=sys.stderr)
        return 2
    return 0


def check(target: str, options: Options) -> None:
    """Check the machine and the options of a target. Raises OrchardError."""
    check_python()
    check_java()
    if target in ("demo", "up"):
        for check_option in (check_images, check_weights, check_lake, check_emr_port):
            check_option(options)
    if target == "up":
        check_port("PORT", options, DEFAULT_UI_PORT)


def check_python() -> None:
    lowest, highest = PYTHONS
    if not lowest <= sys.version_info[:2] <= highest:
        raise OrchardError(
            f"Python {sys.version_info[0]}.{sys.version_info[1]}",
            rule="it must be 3.11, 3.12 or 3.13",
            remedy="Choose another: make PYTHON=python3.11 …",
        )


def check_java() -> None:
    java = _find_java()
    rule, remedy = "Spark needs Java 17 or 21", "Install a JDK 17 or 21 and set JAVA_HOME to it"
    if java is None:
        raise OrchardError("no java in JAVA_HOME or on the PATH", rule=rule, remedy=remedy)
    version = _java_version(java)
    if version not in JAVAS:
        raise OrchardError(f"{java} is Java {version or 'of an unknown version'}", rule=rule, remedy=remedy)


def check_images(options: Options) -> None:
    given = options.value("IMAGES")
    if not given:
        return
    folder, remedy = Path(given).expanduser(), "Name the folder that contains the <label> folders"
    if not folder.is_dir():
        raise OrchardError(options.show("IMAGES"), rule="no such folder", remedy=remedy)
    if not any(
        _is_visible(Path(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    ):
        raise OrchardError(options.show("IMAGES"), rule="it contains no files", remedy=remedy)


def check_weights(options: Options) -> None:
    given = options.value("WEIGHTS")
    if given in ("", "untrained"):
        return
    if not Path(given).expanduser().is_file() or not given.endswith(WEIGHTS_SUFFIXES):
        raise OrchardError(
            options.show("WEIGHTS"),
            rule="it must be an existing .h5 or .keras file, or the word untrained",
            remedy="Correct the path; without it, the lake's current model or Keras's weights are used",
        )


def check_lake(options: Options) -> None:
    folder = Path(options.value("LAKE", "lake")).expanduser().absolute()
    shown, images = options.show("LAKE", "lake"), options.value("IMAGES")
    if any(character in str(folder) for character in GLOB_CHARACTERS):
        raise OrchardError(
            shown, rule=f"its path must not contain any of {GLOB_CHARACTERS}", remedy="Choose another folder"
        )
    if images and folder.resolve().is_relative_to(Path(images).expanduser().resolve()):
        rule = f"it must not be inside {options.show('IMAGES')}, or its files would be taken for images"
        raise OrchardError(shown, rule=rule, remedy="Choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OrchardError(
            shown,
            rule=f"cannot write there ({error.strerror})",
            remedy="Choose a folder that you can write to",
        ) from None


def check_emr_port(options: Options) -> None:
    if options.value("EMR_PORT"):
        check_port("EMR_PORT", options)


def check_port(name: str, options: Options, default: str = "") -> None:
    given, shown = options.value(name, default), options.show(name, default)
    if not given.isdigit() or not 1 <= int(given) <= 65535:
        raise OrchardError(shown, rule="it must be a number from 1 to 65535", remedy="Choose another port")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(given)))
        except OSError as error:
            remedy = (
                f"Choose a free port with {options.spell(name)}=<port>, or stop Airflow with `orchard down`"
            )
            raise OrchardError(shown, rule=f"{error.strerror} on 127.0.0.1", remedy=remedy) from None


def _is_visible(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _find_java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")


def _java_version(java: str) -> int | None:
    """Return the feature version: 17 for ``17.0.15``, 8 for ``1.8.0``."""
    try:
        output = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', output)
    return int(found.group(1)) if found else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
