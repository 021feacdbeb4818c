"""Spark's classes in a file that Java maps, instead of loading, checking and linking each of them again.

Java calls it class data sharing. ``python -m local_spark.class_archive``, a part of ``make setup``, runs a
small application and archives the classes that its driver has loaded. Later drivers start with the archive.
Java itself refuses an archive of other classes, and starts without it.
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
MAKE_SECONDS = 300.0
# Not each Java knows these options, and what it says of an archive that it does not take is not for users.
TOLERANT = "-XX:+IgnoreUnrecognizedVMOptions -Xshare:auto -Xlog:cds*=off"
# What every job has: tasks in Python workers that get files, results, an event log.
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
    """Return Java's options of a driver that starts with the archive; none where there is no archive.

    Args:
        environ: Says which Java spark-submit takes.
    """
    path = find_archive(environ, folder)
    is_usable = path.exists() and path.stat().st_size > 0
    return f"{TOLERANT} {_quoted('-XX:SharedArchiveFile', path)}" if is_usable else ""


def find_archive(environ: Mapping[str, str], folder: Path = FOLDER) -> Path:
    """Return the archive's path, which names the Java and the Spark that it is of.

    It may have to be made yet. An empty file says that Java could not make it.
    """
    jars = (NODE_ENV.resolve()).glob("lib/python3*/site-packages/pyspark/jars/*.jar")
    made_of = [_stamp(_java(environ)), *sorted(map(_stamp, jars))]
    digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
    return folder / f"{digest[:16]}.jsa"


def make_archive(environ: Mapping[str, str], folder: Path = FOLDER) -> bool:
    """Make the archive: 70 MB. Return whether there is one now; no driver needs it."""
    path = find_archive(environ, folder)
    staged = path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not _run_application(environ, f"{TOLERANT} {_quoted('-XX:ArchiveClassesAtExit', staged)}"):
            staged.unlink(missing_ok=True)
        staged.touch()
        staged.replace(path)
        for other in folder.iterdir():  # archives of other versions, and what killed runs left
            if other != path:
                other.unlink(missing_ok=True)
    except OSError:
        pass  # a full disk, a folder of somebody else's
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
                timeout=MAKE_SECONDS,
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
    """Return an option of Java as Spark's parser of options takes it."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{option}={text}"'


def main() -> int:
    """Make the archive where there is none yet. Never fails: nothing needs it."""
    if not find_archive(os.environ).exists():
        print("Archiving Spark's classes, so that its drivers start sooner …", flush=True)
        if not make_archive(os.environ):
            print("Java made no archive; drivers start without one.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
