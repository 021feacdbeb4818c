"""The jars of S3A that `make s3a-jars` fetches: which they are, and whether they are all there.

    python tests/s3a/jars.py            whether the folder has what jars.sha256 says, and nothing else
    python tests/s3a/jars.py --write    after a change of pom.xml: make jars.sha256 say what the folder has

Standard library only.
"""

import hashlib
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / ".orchard" / "s3a-jars"
PINS = Path(__file__).with_name("jars.sha256")
POM = Path(__file__).with_name("pom.xml")


class UnfitError(Exception):
    """One line: what was found, the rule, the remedy."""


def check_jars(folder: Path = FOLDER, pins: Path = PINS) -> None:
    """Raise UnfitError unless the folder has exactly the jars that are pinned."""
    if not any(folder.glob("*.jar")):
        raise UnfitError("the jars of S3A are not here: `make s3a-jars` fetches them (13 MB, with Maven)")
    found = sums_of(folder)
    pinned = {name: digest for digest, name in map(str.split, pins.read_text().splitlines())}
    differing = sorted(name for name in found.keys() | pinned if found.get(name) != pinned.get(name))
    if differing:
        raise UnfitError(
            f"{', '.join(differing)} in {folder}: not what {pins.name} pins. `make s3a-jars` fetches them "
            "anew; if pom.xml has changed, look at what came, then run python tests/s3a/jars.py --write"
        )


def sums_of(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each jar by its name."""
    return {jar.name: hashlib.sha256(jar.read_bytes()).hexdigest() for jar in sorted(folder.glob("*.jar"))}


def check_versions(spark_home: Path, pom: Path = POM) -> None:
    """Raise UnfitError where pom.xml names another Spark or Hadoop than the node's pyspark is of."""
    for artifact, name in (("spark-core_2.13", "spark.version"), ("hadoop-client-api", "hadoop.version")):
        (jar,) = (spark_home / "jars").glob(f"{artifact}-*.jar")
        brought = jar.stem.removeprefix(f"{artifact}-")
        asked = re.search(f"<{name}>(.*)</{name}>", pom.read_text())
        if asked is None or asked[1] != brought:
            raise UnfitError(
                f"pyspark brings {jar.name}, and {name} in {pom.name} is {asked and asked[1]}: they must be "
                f"equal. Set it to {brought}"
            )


def main(arguments: list[str]) -> int:
    if arguments == ["--write"]:
        PINS.write_text("".join(f"{digest}  {name}\n" for name, digest in sums_of(FOLDER).items()))
        return 0
    try:
        check_jars()
    except UnfitError as unfit:
        print(f"orchard: {unfit}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
