"""``make compose-env``: writes .env from .env.example with generated secrets, and creates the lake's folders.

Values already in .env are kept: running it again adds the settings of a newer .env.example. Standard library
only.
"""

from __future__ import annotations

import base64
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("images", "weights", "models", "runs", "logs/spark-events")
IMAGES_UID = 50000
"""The user of Airflow's official images, used when root runs this, because no service should run as root."""


def main() -> int:
    values, lines = fill((ROOT / ".env.example").read_text(), read(ROOT / ".env"), value_factories())
    lake = values["ORCHARD_LAKE_DIR"]
    if not lake.startswith(("./", "../", "/")):  # otherwise compose would create a named volume
        rule = "it must be a path that begins with ./, ../ or /"
        print(f"orchard: ORCHARD_LAKE_DIR={lake}: {rule}. Correct it in .env", file=sys.stderr)
        return 2
    write(ROOT / ".env", lines)
    try:
        make_folders(ROOT / lake, int(values["ORCHARD_UID"]))
    except PermissionError as error:
        print(
            f"orchard: cannot create {error.filename}: set ORCHARD_LAKE_DIR in .env to a folder that you own",
            file=sys.stderr,
        )
        return 2
    print(f"Wrote {ROOT / '.env'}. Put images into {ROOT / lake}/images/<label>/")
    return 0


def value_factories() -> dict[str, Callable[[], str]]:
    """Return a factory for each value that .env.example leaves empty."""

    def hexadecimal() -> str:
        return secrets.token_hex(32)  # safe in URIs, JSON and shells

    def fernet_key() -> str:
        return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()

    return {
        "ORCHARD_UID": lambda: str(os.getuid() or IMAGES_UID),
        "AIRFLOW_PASSWORD": lambda: secrets.token_hex(10),
        "JUPYTER_TOKEN": hexadecimal,
        "POSTGRES_PASSWORD": hexadecimal,
        "AIRFLOW_FERNET_KEY": fernet_key,
        "AIRFLOW_SECRET_KEY": hexadecimal,
        "AIRFLOW_JWT_SECRET": hexadecimal,
    }


def read(path: Path) -> dict[str, str]:
    """Read a file of ``NAME=value`` lines; {} if it does not exist."""
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def fill(
    example: str, given: Mapping[str, str], make: Mapping[str, Callable[[], str]]
) -> tuple[dict[str, str], str]:
    """Return the values and the content of .env: the example's lines, with given and generated values."""
    values, lines = dict(given), []
    for line in example.splitlines():
        name, is_setting, default = line.partition("=")
        if not is_setting or line.startswith("#"):
            lines.append(line)
            continue
        values[name] = given.get(name) or default or make[name]()
        lines.append(f"{name}={values[name]}")
    more = [f"{name}={value}" for name, value in given.items() if f"\n{name}=" not in f"\n{example}"]
    return values, "\n".join([*lines, *more]) + "\n"


def write(path: Path, content: str) -> None:
    """Write a file that at no moment anyone but its owner can read."""
    staged = path.with_name(".env.new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)
    staged.replace(path)


def make_folders(lake: Path, uid: int) -> None:
    """Create the folders that services mount; Docker would create them as root. Raises PermissionError."""
    for folder in FOLDERS:
        (lake / folder).mkdir(parents=True, exist_ok=True)
    if os.getuid() == 0:
        for path in (lake, lake / "logs", *(lake / folder for folder in FOLDERS)):
            os.chown(path, uid, 0)


if __name__ == "__main__":
    sys.exit(main())
