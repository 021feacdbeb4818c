"""Spark's classes in a file that Java maps, instead of loading, checking and linking each of them again.

Java calls it class data sharing. The first run lists what it has loaded, an archive is made of that list, and
every later driver starts with it. Java itself refuses an archive of other classes, and runs without it.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local_spark.node import NODE_ENV, STATE

FOLDER = STATE / "classes"
MAKE_SECONDS = 300.0
# Java takes no archive where a folder on the class path has a file in it, as those of these may.
CLASS_PATH = ("SPARK_HOME", "SPARK_CONF_DIR", "HADOOP_CONF_DIR", "YARN_CONF_DIR", "SPARK_DIST_CLASSPATH")
# Not each Java knows of these options, and what it says of the classes that it leaves out is not for users.
TOLERANT = "-XX:+IgnoreUnrecognizedVMOptions -Xshare:auto -Xlog:cds=off -Xlog:cds+dynamic=off"


@dataclass(frozen=True)
class ClassArchive:
    """The archive of one Java and one Spark.

    Args:
        path: Named by what it is made of. An empty file where Java could not make it.
    """

    path: Path

    @classmethod
    def of_environment(cls, environ: Mapping[str, str], folder: Path = FOLDER) -> Self:
        """Return that of the Java and the Spark which spark-submit takes; it may have to be made yet."""
        jars = Path(environ.get("SPARK_HOME") or _pyspark()) / "jars"
        made_of = [
            _stamp(_java(environ)),
            *sorted(map(_stamp, jars.glob("*.jar"))),
            *(f"{name}={environ.get(name)}" for name in CLASS_PATH),
        ]
        digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()
        return cls(folder / f"{digest[:16]}.jsa")

    @property
    def can_be_made(self) -> bool:
        """Whether a driver has listed its classes, and nobody has made the archive since."""
        return self._list.exists() and not self.path.exists()

    @contextmanager
    def for_driver(self) -> Iterator[str]:
        """Give options of Java for a driver: to start with the archive, or to list what it loads.

        The list counts once the block ends without an error.
        """
        if self.path.exists():
            is_usable = self.path.stat().st_size > 0
            yield f"{TOLERANT} {_quoted('-XX:SharedArchiveFile', self.path)}" if is_usable else ""
            return
        staged = self._list.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # no run needs an archive
            staged.parent.mkdir(parents=True, exist_ok=True)
            staged.touch()
        try:
            yield f"{TOLERANT} {_quoted('-XX:DumpLoadedClassList', staged)}" if staged.exists() else ""
            if staged.exists() and staged.stat().st_size:
                staged.replace(self._list)
        finally:
            with suppress(OSError):
                staged.unlink(missing_ok=True)

    def make(self, command: Callable[[str], Sequence[str]], environment: Mapping[str, str]) -> None:
        """Make it of what a driver has listed: 200 MB. Where Java cannot, drivers start as they did.

        Args:
            command: Returns a driver's spark-submit with other options of Java: it does not get to run.
            environment: Of spark-submit.
        """
        staged = self.path.with_suffix(f".{os.getpid()}")
        listed = _quoted("-XX:SharedClassListFile", self._list)
        made = _quoted("-XX:SharedArchiveFile", staged)
        try:
            if not _succeeds(command(f"-Xshare:dump {listed} {made}"), environment):
                staged.unlink(missing_ok=True)
            staged.touch()
            staged.replace(self.path)
            for path in self.path.parent.iterdir():  # the list, and archives of other versions
                if path != self.path:
                    path.unlink(missing_ok=True)
        except OSError:
            return  # a full disk: no run needs an archive
        finally:
            staged.unlink(missing_ok=True)

    @property
    def _list(self) -> Path:
        return self.path.with_suffix(".classes")


def _succeeds(command: Sequence[str], environment: Mapping[str, str]) -> bool:
    try:
        subprocess.run(
            command,
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


def _pyspark() -> Path:
    return next(NODE_ENV.glob("lib/python3*/site-packages/pyspark"), NODE_ENV)


def _stamp(path: Path) -> str:
    found = path.stat() if path.exists() else None
    return f"{path} {found.st_size} {found.st_mtime_ns}" if found else f"{path}"


def _quoted(option: str, path: Path) -> str:
    """Return an option of Java as Spark's parser of options takes it."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{option}={text}"'
