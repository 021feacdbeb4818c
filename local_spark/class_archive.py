"""Archives Spark's classes in a file that Java maps, instead of loading and linking them every time.

Java calls this class data sharing. ``python -m local_spark.class_archive``, a part of ``make setup``, runs a
small application and archives the classes that its driver loads. Later drivers start with the archive. Java
rejects an archive of different classes and starts without it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from local_spark.node import NODE_ENV

FOLDER = NODE_ENV / "class-archive"
BUILD_SECONDS = 300.0
# Not every Java knows these options, and its messages about a rejected archive are not meant for users.
TOLERANT = "-XX:+IgnoreUnrecognizedVMOptions -Xshare:auto -Xlog:cds*=off"
# Loads the classes that every job needs: Python workers that get files, results, an event log.
APPLICATION = """
from pyspark import SparkContext

with SparkContext() as spark:
    factor = spark.broadcast(2)
    counted = spark.accumulator(0)

    def work(numbers):
        for number in numbers:
            counted.add(1)
            yield number * factor.value

    assert spark.parallelize(range(4), 2).mapPartitions(work).collect() == [0, 2, 4, 6]
"""


def driver_options(environ: Mapping[str, str], folder: Path = FOLDER) -> str:
    """Return the Java options with which a driver starts from the archive; '' if there is no archive.

    Args:
        environ: Determines which Java spark-submit uses.
    """
    path = find_archive(environ, folder)
    is_usable = path.exists() and path.stat().st_size > 0
    return f"{TOLERANT} {_quoted('-XX:SharedArchiveFile', path)}" if is_usable else ""


def find_archive(environ: Mapping[str, str], folder: Path = FOLDER) -> Path:
    """Return the archive's path, which depends on the versions of Java and Spark.

    The archive may not exist yet. An empty file means that Java could not create it.
    """
    jars = (NODE_ENV.resolve()).glob("lib/python3*/site-packages/pyspark/jars/*.jar")
    stamps = [_stamp(_java(environ)), *sorted(map(_stamp, jars))]
    digest = hashlib.sha256("\n".join(stamps).encode()).hexdigest()
    return folder / f"{digest[:16]}.jsa"


def build_archive(environ: Mapping[str, str], folder: Path = FOLDER) -> bool:
    """Build the archive (70 MB); return whether it is usable. Drivers also start without it."""
    path = find_archive(environ, folder)
    staged = path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _run_application(environ, f"{TOLERANT} {_quoted('-XX:ArchiveClassesAtExit', staged)}"):
            staged.unlink(missing_ok=True)
        staged.touch()
        staged.replace(path)
        for other in folder.iterdir():  # archives of other versions, and leftovers of killed runs
            if other != path:
                other.unlink(missing_ok=True)
    except OSError:
        pass  # for example a full disk, or another user's folder
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
    return bool(driver_options(environ, folder))


def _run_application(environ: Mapping[str, str], options: str) -> bool:
    with TemporaryDirectory(prefix="orchard-classes-") as folder:
        program = Path(folder, "application.py")
        program.write_text(APPLICATION, encoding="utf-8")
        conf = {
            "spark.ui.enabled": "false",
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": Path(folder).as_uri(),
            "spark.eventLog.compress": "true",
        }
        command = [
            *(str(NODE_ENV / "bin" / "spark-submit"), "--master", "local[2]", "--py-files", str(program)),
            *(part for key, value in conf.items() for part in ("--conf", f"{key}={value}")),
            str(program),
        ]
        environment = {
            **{name: value for name, value in environ.items() if name in ("PATH", "HOME", "JAVA_HOME")},
            "PYSPARK_PYTHON": str(NODE_ENV / "bin" / "python"),
            "SPARK_LOCAL_IP": "127.0.0.1",
            "SPARK_SUBMIT_OPTS": options,
        }
        try:
            subprocess.run(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=BUILD_SECONDS,
                check=True,
            )
        except subprocess.SubprocessError:
            return False
    return True


def _java(environ: Mapping[str, str]) -> Path:
    home = environ.get("JAVA_HOME")
    found = f"{home}/bin/java" if home else shutil.which("java", path=environ.get("PATH"))
    return Path(found or "java").resolve()


def _stamp(path: Path) -> str:
    found = path.stat() if path.exists() else None
    return f"{path} {found.st_size} {found.st_mtime_ns}" if found else f"{path}"


def _quoted(option: str, path: Path) -> str:
    """Quote a Java option for Spark's option parser."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{option}={text}"'


def main() -> int:
    """Build the archive if it does not exist. A failure is not an error: this is only an optimization."""
    if not find_archive(os.environ).exists():
        print("Archiving Spark's classes, so that drivers start faster …", flush=True)
        if not build_archive(os.environ):
            print("Java could not create the archive; drivers start without it.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
