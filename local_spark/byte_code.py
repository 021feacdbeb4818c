"""Byte code instead of the sources in the zip of Spark's Python package.

Spark's Python processes import Spark from that zip, two for each job, and cannot keep what they compile of
it. ``python local_spark/byte_code.py``, a part of ``make setup``, is run by the node's Python, whose byte
code it is.
"""

import os
import py_compile
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def find_zip() -> Path:
    """Return the zip of the pyspark that is installed here."""
    found = find_spec("pyspark")
    folder = Path(found.origin if found and found.origin else "pyspark").parent
    return folder / "python" / "lib" / "pyspark.zip"


def compile_modules(path: Path) -> bool:
    """Put byte code in the place of every module in the zip; return False where that has been done.

    Without the sources, because Python reads a zip's directory slowly. They are installed beside it, too.
    Other processes see the old zip or the new one. It is not changed in place: an installer may share the
    file with other environments.
    """
    with zipfile.ZipFile(path) as sources:
        if not any(name.endswith(".py") for name in sources.namelist()):
            return False
        staged = path.with_suffix(f".{os.getpid()}")
        try:
            # Without compression: it would be undone by each process.
            with TemporaryDirectory() as folder, zipfile.ZipFile(staged, "w") as compiled:
                for name in sources.namelist():
                    if name.endswith(".py"):
                        compiled.write(_compile(Path(sources.extract(name, folder)), name), f"{name}c")
                    else:
                        compiled.writestr(name, sources.read(name))
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)
    return True


def _compile(source: Path, name: str) -> str:
    """Return the file with the byte code of a module. Nobody compares it with its source: neither changes."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = py_compile.compile(str(source), dfile=name, invalidation_mode=unchecked, doraise=True)
    return str(compiled)


def main() -> int:
    """Compile, where that can be done: nothing needs it."""
    try:
        compile_modules(find_zip())
    except (OSError, py_compile.PyCompileError) as error:
        print(f"Spark's Python package stays as it is, not compiled ({error}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
