"""The bootstrap script and the package that a cluster gets, as far as no network is needed."""

import hashlib
import os
import shutil
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.checkout import ROOT
from tests.support.tiny_wheel import make_wheel

SCRIPT = ROOT / "bootstrap" / "install_node.sh"


def install(
    *arguments: str, path: Path | None = None, **variables: str
) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHON": sys.executable, **variables}
    if path:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    return subprocess.run(
        ["bash", SCRIPT, *arguments], env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A code folder whose requirements are empty, so that nothing is downloaded."""
    folder = tmp_path / "a code folder"
    folder.mkdir()
    (folder / "requirements.txt").write_text("# none\n")
    (folder / "requirements-tensorflow.txt").write_text("# none with TensorFlow\n")
    return folder


def test_an_environment_is_made_once_and_left_alone_after_that(source: Path, tmp_path: Path) -> None:
    arguments = ["--target", str(tmp_path / "venv"), "--source", f"file://{source}"]
    first, second = install(*arguments), install(*arguments)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert "created" in first.stdout
    assert "up to date" in second.stdout
    (source / "requirements.txt").write_text("# other pins\n")
    assert "created" in install(*arguments).stdout


def test_an_environment_with_tensorflow_serves_those_who_need_none(source: Path, tmp_path: Path) -> None:
    arguments = ["--target", str(tmp_path / "venv"), "--source", f"file://{source}"]
    assert "created" in install(*arguments, "--with-tensorflow").stdout
    assert "up to date" in install(*arguments).stdout


@pytest.fixture
def wheelhouse(source: Path, tmp_path: Path) -> Path:
    """A folder of wheels, with the one that the code asks for."""
    folder = tmp_path / "a wheelhouse"
    folder.mkdir()
    wheel = make_wheel(folder, "tiny", "1.0")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (source / "requirements.txt").write_text(f"tiny==1.0 --hash=sha256:{digest}\n")
    (source / "wheelhouse.txt").write_text(f"file://{folder}\n")
    return folder


def fake_aws(folder: Path, script: str) -> Path:
    """An AWS CLI: $source and $target are those of `aws s3 sync`."""
    aws = folder / "bin" / "aws"
    aws.parent.mkdir()
    aws.write_text(f'#!/bin/bash\nsource="${{@: -2:1}}" target="${{@: -1}}"\n{script}\n')
    aws.chmod(0o755)
    return aws.parent


@contextmanager
def silent_index() -> Iterator[tuple[socket.socket, dict[str, str]]]:
    """An index that answers nobody, but sees who asks; and pip's settings for it."""
    with socket.socket() as index:
        index.bind(("127.0.0.1", 0))
        index.listen()
        index.settimeout(60)
        url = f"http://127.0.0.1:{index.getsockname()[1]}/simple"
        yield index, {"PIP_INDEX_URL": url, "PIP_RETRIES": "0", "PIP_DEFAULT_TIMEOUT": "1"}


def test_code_on_s3_without_a_wheelhouse_is_installed_from_the_index(source: Path, tmp_path: Path) -> None:
    (source / "requirements.txt").write_text(f"none-such==1.0 --hash=sha256:{'0' * 64}\n")
    path = fake_aws(tmp_path, f'cp "{source}/"* "$target"')
    with silent_index() as (index, pip):
        done = install("--target", str(tmp_path / "venv"), "--source", "s3://l/code", path=path, **pip)
        assert done.returncode != 0
        asked, _ = index.accept()
        assert asked.recv(100).startswith(b"GET /simple/none-such/")
        asked.close()


@pytest.mark.usefixtures("wheelhouse")
def test_with_a_wheelhouse_nothing_else_is_asked(source: Path, tmp_path: Path) -> None:
    with silent_index() as (index, pip):
        done = install("--target", str(tmp_path / "venv"), "--source", f"file://{source}", **pip)
        assert done.returncode == 0, done.stderr
        index.settimeout(0)
        with pytest.raises(BlockingIOError):
            index.accept()
    subprocess.run([tmp_path / "venv" / "bin" / "python", "-c", "import tiny"], check=True)


def test_of_a_wheelhouse_on_s3_a_node_takes_what_is_for_its_processor(
    source: Path, wheelhouse: Path, tmp_path: Path
) -> None:
    (source / "wheelhouse.txt").write_text("s3://l/wheels\n")
    log = tmp_path / "asked"
    folders = f'if [ "$source" = s3://l/code ]; then from="{source}"; else from="{wheelhouse}"; fi'
    path = fake_aws(tmp_path, f'echo "$*" >> "{log}"\n{folders}\ncp "$from/"* "$target"')
    done = install("--target", str(tmp_path / "venv"), "--source", "s3://l/code", path=path)
    assert done.returncode == 0, done.stderr
    asked = log.read_text().splitlines()[1]
    assert f"--exclude * --include *-any.whl --include *_{os.uname().machine}.whl s3://l/wheels" in asked


def test_another_wheel_than_the_pinned_one_is_refused(source: Path, wheelhouse: Path, tmp_path: Path) -> None:
    with (wheelhouse / "tiny-1.0-py3-none-any.whl").open("ab") as wheel:
        wheel.write(b"more")
    done = install("--target", str(tmp_path / "venv"), "--source", f"file://{source}")
    assert done.returncode == 2
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert "pip could not install requirements.txt with Python 3." in done.stderr
    assert "created" in install("--target", str(tmp_path / "venv"), "--source", make_empty(source)).stdout


def make_empty(source: Path) -> str:
    (source / "requirements.txt").write_text("# none\n")
    return f"file://{source}"


def test_what_cannot_be_read_from_s3_is_told(tmp_path: Path) -> None:
    path = fake_aws(tmp_path, 'echo "AccessDenied: who are you" >&2; exit 1')
    done = install("--target", str(tmp_path / "venv"), "--source", "s3://l/code", path=path)
    assert done.returncode == 2
    assert "AccessDenied: who are you" in done.stderr
    assert "cannot read s3://l/code (see above): the node's role" in done.stderr


def test_a_python_that_is_too_old_is_refused(source: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/bash\nif [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi\n')
    old.chmod(0o755)
    done = install("--target", str(tmp_path / "venv"), "--source", f"file://{source}", PYTHON=str(old))
    assert done.returncode == 2
    assert f"{old} is Python 3.9.2: it must be Python 3.11, 3.12 or 3.13" in done.stderr


class Node:
    """A machine of Amazon Linux 2023 before EMR has installed anything: its Python is 3.9, and it has dnf."""

    TOOLS = ("cksum", "find", "grep", "id", "mkdir", "mktemp", "rm", "uname", "wc")

    def __init__(self, folder: Path) -> None:
        self.path, self.log = folder / "node-bin", folder / "dnf-was-asked"
        self.path.mkdir()
        for name in self.TOOLS:
            (self.path / name).symlink_to(str(shutil.which(name)))
        self.has("sudo", 'exec "$@"')
        self.has("python3", 'if [ "$1" = --version ]; then echo Python 3.9.2; else exit 1; fi')

    def has(self, name: str, script: str) -> None:
        (self.path / name).write_text(f"#!{shutil.which('bash')}\n{script}\n")
        (self.path / name).chmod(0o755)

    def has_dnf(self, then: str) -> None:
        self.has("dnf", f'echo "$*" >> "{self.log}"\n{then}')

    def install(self, target: Path, source: Path) -> "subprocess.CompletedProcess[str]":
        environment = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        command = [
            str(shutil.which("bash")),
            str(SCRIPT),
            "--target",
            str(target),
            "--source",
            f"file://{source}",
        ]
        environment["PATH"] = str(self.path)
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_node_without_python_311_gets_it_from_dnf(node: Node, source: Path, tmp_path: Path) -> None:
    python = f'#!{shutil.which("bash")}\nexec {sys.executable} "$@"\n'
    (tmp_path / "python").write_text(python)
    (tmp_path / "python").chmod(0o755)
    node.has_dnf(f'{shutil.which("ln")} -s "{tmp_path / "python"}" "{node.path}/python3.11"')
    done = node.install(tmp_path / "venv", source)
    assert done.returncode == 0, done.stderr
    assert node.log.read_text() == "-y --quiet install python3.11\n"
    again = node.install(tmp_path / "venv2", source)
    assert again.returncode == 0, again.stderr
    assert node.log.read_text().count("\n") == 1, "what is there is not installed again"


def test_where_dnf_cannot_install_python_311_it_says_so(node: Node, source: Path, tmp_path: Path) -> None:
    node.has_dnf('echo "Errno 14: no mirrors" >&2; exit 1')
    done = node.install(tmp_path / "venv", source)
    assert done.returncode == 2
    assert "Errno 14: no mirrors" in done.stderr
    assert "dnf could not install python3.11 (see above)" in done.stderr


def test_without_dnf_an_old_python_is_refused(node: Node, source: Path, tmp_path: Path) -> None:
    done = node.install(tmp_path / "venv", source)
    assert done.returncode == 2
    assert "it must be Python 3.11, 3.12 or 3.13" in done.stderr


@pytest.mark.parametrize("may", [True, False])
def test_where_its_user_may_not_write_it_asks_sudo(may: bool, source: Path, tmp_path: Path) -> None:
    """EMR runs it as hadoop, who may become root without a password. Nobody can make a folder in a file."""
    blocked = tmp_path / "opt"
    blocked.touch()
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text(f'#!/bin/bash\n[ -f "{blocked}" ] && rm "{blocked}"\nexec "$@"\n' if may else "exit 1\n")
    sudo.chmod(0o755)
    target = blocked / "venv"
    done = install("--target", str(target), "--source", f"file://{source}", path=sudo.parent)
    if may:
        assert done.returncode == 0, done.stderr
        assert (target / "bin" / "python").exists()
    else:
        assert done.returncode == 2
        assert f"can neither create {target} nor use sudo" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--target and --source are required"),
        (["--target", "x", "--source", "/x"], "--source /x: it must be file:///folder or s3://bucket/folder"),
        (["--fast"], "unknown argument --fast: the arguments are --target DIR --source URI"),
        (["--target", "x", "--source", "file:///nonexistent"], "it has no requirements.txt"),
    ],
)
def test_a_bad_argument_is_one_clear_error(arguments: list[str], said: str) -> None:
    done = install(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


def test_the_package_is_the_same_for_the_same_sources_and_holds_every_module(tmp_path: Path) -> None:
    for name in "12":
        subprocess.run([sys.executable, ROOT / "bootstrap" / "package.py", tmp_path / name], check=True)
    first, second = ((tmp_path / name / "orchard_jobs.zip").read_bytes() for name in "12")
    assert first == second
    sources = ROOT / "spark_jobs"
    modules = {path.relative_to(sources).as_posix() for path in sources.glob("orchard_jobs/**/*.py")}
    assert set(zipfile.ZipFile(tmp_path / "1" / "orchard_jobs.zip").namelist()) == modules
