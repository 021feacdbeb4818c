"""Checks what was asked for before any work is done: ``python3 preflight.py demo|up|test``.

Runs with whatever Python the machine has, before anything is installed: standard library only.
Reads the variables that the Makefile passes on: IMAGES, WEIGHTS, LAKE, PORT, EMR_PORT.
"""

from __future__ import annotations  # so that an old Python gets as far as the message about itself

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

PYTHONS = ((3, 11), (3, 13))
JAVAS = (17, 21)
DEFAULT_UI_PORT = "8080"
WEIGHTS_SUFFIXES = (".h5", ".keras")
GLOB_CHARACTERS = "*?[]{}\\,"  # Hadoop would expand these in a path


class UnfitError(Exception):
    """One line: what was found, the rule, the remedy."""


def main(target: str) -> int:
    asked = [check_images, check_weights, check_lake, check_emr_port]
    checks = {"demo": asked, "up": [*asked, check_ui_port]}
    try:
        for check in [check_python, check_java, *checks.get(target, [])]:
            check()
    except UnfitError as unfit:
        print(f"orchard: {unfit}", file=sys.stderr)
        return 2
    return 0


def check_python() -> None:
    lowest, highest = PYTHONS
    if not lowest <= sys.version_info[:2] <= highest:
        raise UnfitError(
            f"Python {sys.version_info[0]}.{sys.version_info[1]}: it must be 3.11, 3.12 or 3.13. "
            "Name one that is: make PYTHON=python3.11 …"
        )


def check_java() -> None:
    java = _find_java()
    remedy = "Install a JDK 17 or 21 and set JAVA_HOME to it."
    if java is None:
        raise UnfitError(f"no java in JAVA_HOME or on the PATH: Spark needs Java 17 or 21. {remedy}")
    version = _java_version(java)
    if version not in JAVAS:
        raise UnfitError(
            f"{java} is Java {version or 'of an unknown version'}: Spark needs Java 17 or 21. {remedy}"
        )


def check_images() -> None:
    given = os.environ.get("IMAGES")
    if not given:
        return
    folder = Path(given).expanduser()
    if not folder.is_dir():
        raise UnfitError(
            f"IMAGES={given}: no such folder. Give the folder that holds the <label>/<image> folders."
        )
    if not any(
        _is_visible(Path(parent, name), folder) for parent, _, names in os.walk(folder) for name in names
    ):
        raise UnfitError(
            f"IMAGES={given}: no file in it. Give the folder that holds the <label>/<image> folders."
        )


def check_weights() -> None:
    given = os.environ.get("WEIGHTS")
    if given and (not Path(given).expanduser().is_file() or not given.endswith(WEIGHTS_SUFFIXES)):
        raise UnfitError(
            f"WEIGHTS={given}: it must be an existing .h5 or .keras file. Without it, Keras's own are used."
        )


def check_lake() -> None:
    given = os.environ.get("LAKE") or "lake"
    folder = Path(given).expanduser().absolute()
    if any(character in str(folder) for character in GLOB_CHARACTERS):
        raise UnfitError(f"LAKE={given}: none of {GLOB_CHARACTERS} may be in its path. Choose another.")
    images = os.environ.get("IMAGES")
    if images and folder.resolve().is_relative_to(Path(images).expanduser().resolve()):
        raise UnfitError(
            f"LAKE={given}: it is inside IMAGES={images}, of which it would become a part. Choose another."
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise UnfitError(
            f"LAKE={given}: cannot write there ({error.strerror}). Choose a folder that you may write to."
        ) from None


def check_ui_port() -> None:
    _check_port("PORT", os.environ.get("PORT") or DEFAULT_UI_PORT)


def check_emr_port() -> None:
    if os.environ.get("EMR_PORT"):
        _check_port("EMR_PORT", os.environ["EMR_PORT"])


def _check_port(name: str, given: str) -> None:
    if not given.isdigit() or not 1 <= int(given) <= 65535:
        raise UnfitError(f"{name}={given}: it must be a number from 1 to 65535. Give another one.")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", int(given)))
        except OSError as error:
            raise UnfitError(
                f"{name}={given}: {error.strerror} on 127.0.0.1. Give a free one: {name}=<port>. "
                "`make down` ends an earlier `make up`."
            ) from None


def _is_visible(path: Path, root: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(root).parts)


def _find_java() -> str | None:
    home = os.environ.get("JAVA_HOME")
    return shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")


def _java_version(java: str) -> int | None:
    """Return the feature version: 17 for ``17.0.15``, 8 for ``1.8.0``."""
    try:
        said = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=30, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
