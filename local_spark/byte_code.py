"""Replaces the sources in the zip of Spark's Python package with byte code.

Spark's Python processes, two per job, import Spark from that zip and cannot cache what they compile from it.
``python local_spark/byte_code.py``, a part of ``make setup``, runs in the node's Python, which must be the
one that uses the byte code.
"""

import os
import py_compile
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory


def find_zip() -> Path:
    """Return the zip of the installed pyspark."""
    found = find_spec("pyspark")
    folder = Path(found.origin if found and found.origin else "pyspark").parent
    return folder / "python" / "lib" / "pyspark.zip"


def compile_modules(path: Path) -> bool:
    """Replace every module in the zip with its byte code; return False if that has been done already.

    The sources are left out because Python reads a zip's directory slowly; they are also installed beside the
    zip. Other processes see the old zip or the new one. The file is not changed in place, because an
    installer may share it with other environments.
    """
    with zipfile.ZipFile(path) as sources:
        if not any(name.endswith(".py") for name in sources.namelist()):
            return False
        staged = path.with_suffix(f".{os.getpid()}")
        try:
            # Uncompressed: every process would have to decompress it.
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
    """Compile a module; return the path of the byte code, which Python never checks against the source."""
    unchecked = py_compile.PycInvalidationMode.UNCHECKED_HASH
    compiled = py_compile.compile(str(source), dfile=name, invalidation_mode=unchecked, doraise=True)
    return str(compiled)


def main() -> int:
    """Compile the modules if possible. A failure is not an error: this is only an optimization."""
    try:
        compile_modules(find_zip())
    except (OSError, py_compile.PyCompileError) as error:
        print(f"Spark's Python package could not be precompiled ({error}).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
