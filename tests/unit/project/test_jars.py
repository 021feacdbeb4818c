"""The check for pinned jars. These tests need no jars."""

from pathlib import Path

import pytest

from local_emr.execution.node import find_spark_home
from tests.support.checkout import NODE_PYTHON
from tests.support.jars import JARS, UnfitError, check_versions

S3A = JARS["s3a"]

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # SHA-256 of no bytes


@pytest.fixture
def spark_home() -> Path:
    found = find_spark_home(NODE_PYTHON)
    assert found, f"{NODE_PYTHON} has no pyspark"
    return found


@pytest.mark.parametrize("name", JARS)
def test_the_jars_are_of_the_spark_and_hadoop_that_pyspark_brings(name: str, spark_home: Path) -> None:
    check_versions(spark_home, JARS[name].pom)


def test_another_hadoop_than_pysparks_is_refused(spark_home: Path, tmp_path: Path) -> None:
    pom = tmp_path / "pom.xml"
    pom.write_text(S3A.pom.read_text().replace("<hadoop.version>3", "<hadoop.version>9"))
    with pytest.raises(UnfitError, match=r"hadoop\.version in pom\.xml is 9.*Set it to 3"):
        check_versions(spark_home, pom)


def test_no_jar_at_all_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="`make s3a-jars` fetches them"):
        S3A.check(tmp_path)


@pytest.mark.parametrize(
    ("jars", "named"),
    [
        ({"a.jar": b""}, "b.jar"),
        ({"a.jar": b"", "b.jar": b"other bytes"}, "b.jar"),
        ({"a.jar": b"", "b.jar": b"", "c.jar": b""}, "c.jar"),
    ],
    ids=["one too few", "other bytes", "one too many"],
)
def test_anything_but_the_pinned_jars_is_refused(jars: dict[str, bytes], named: str, tmp_path: Path) -> None:
    pins = tmp_path / "jars.sha256"
    pins.write_text(f"{EMPTY}  a.jar\n{EMPTY}  b.jar\n")
    for name, content in jars.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(UnfitError, match=f"^{named} in "):
        S3A.check(tmp_path, pins)


def test_the_pinned_jars_are_accepted(tmp_path: Path) -> None:
    pins = tmp_path / "jars.sha256"
    pins.write_text(f"{EMPTY}  a.jar\n")
    (tmp_path / "a.jar").write_bytes(b"")
    S3A.check(tmp_path, pins)
