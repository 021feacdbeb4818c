"""The jars of `make s3a-jars` and `make yarn-jars`: pins them and checks that all are present.

    python tests/support/jars.py s3a          check that the folder has exactly the jars in jars.sha256
    python tests/support/jars.py s3a --write  after a change of pom.xml: write jars.sha256

Standard library only, except for ``require_jars``.
"""

import hashlib
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class UnfitError(Exception):
    """One line: what was found, the rule, the remedy."""


@dataclass(frozen=True)
class Jars:
    """The jars of a test suite: ``tests/system/<name>`` has their pom.xml and their hashes."""

    name: str
    what: str
    size: str

    @property
    def folder(self) -> Path:
        return ROOT / ".orchard" / f"{self.name}-jars"

    @property
    def pom(self) -> Path:
        return ROOT / "tests" / "system" / self.name / "pom.xml"

    @property
    def pins(self) -> Path:
        return ROOT / "tests" / "system" / self.name / "jars.sha256"

    def check(self, folder: Path | None = None, pins: Path | None = None) -> None:
        """Raise UnfitError unless the folder has exactly the jars that are pinned."""
        folder, pins = folder or self.folder, pins or self.pins
        make = f"`make {self.name}-jars` fetches them"
        if not any(folder.glob("*.jar")):
            raise UnfitError(f"the jars of {self.what} are not here: {make} ({self.size}, with Maven)")
        found = sums_of(folder)
        pinned = {name: digest for digest, name in map(str.split, pins.read_text().splitlines())}
        differing = sorted(name for name in found.keys() | pinned if found.get(name) != pinned.get(name))
        if differing:
            raise UnfitError(
                f"{', '.join(differing)} in {folder}: not what {pins.name} pins. {make} anew; if pom.xml has "
                f"changed, look at what came, then run python tests/support/jars.py {self.name} --write"
            )


JARS = {jars.name: jars for jars in (Jars("s3a", "S3A", "13 MB"), Jars("yarn", "YARN", "50 MB"))}

OF_PYSPARK = {"spark.version": "spark-core_2.13", "hadoop.version": "hadoop-client-api"}
"""A property in the poms, and the jar in pyspark that must have the same version."""


def require_jars(name: str) -> None:
    """Skip the test if jars are missing, or fail it if ORCHARD_REQUIRE_<NAME> is set."""
    import pytest

    variable = f"ORCHARD_REQUIRE_{name.upper()}"
    try:
        JARS[name].check()
    except UnfitError as unfit:
        if os.environ.get(variable):
            pytest.fail(f"{variable} is set, and {unfit}", pytrace=False)
        pytest.skip(str(unfit))


def sums_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar by its name."""
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


def check_versions(spark_home: Path, pom: Path) -> None:
    """Raise UnfitError if the Spark or Hadoop version in a pom.xml differs from the node's pyspark."""
    asked = dict(re.findall(r"<((?:spark|hadoop)\.version)>(.*)</", pom.read_text()))
    for name, version in asked.items():
        (jar,) = (spark_home / "jars").glob(f"{OF_PYSPARK[name]}-*.jar")
        brought = jar.stem.removeprefix(f"{OF_PYSPARK[name]}-")
        if version != brought:
            raise UnfitError(
                f"pyspark brings {jar.name}, and {name} in {pom.name} is {version}: they must be equal. "
                f"Set it to {brought}"
            )


def main(arguments: list[str]) -> int:
    jars = JARS[arguments[0]]
    if arguments[1:] == ["--write"]:
        jars.pins.write_text("".join(f"{digest}  {name}\n" for name, digest in sums_of(jars.folder).items()))
        return 0
    try:
        jars.check()
    except UnfitError as unfit:
        print(f"orchard: {unfit}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
