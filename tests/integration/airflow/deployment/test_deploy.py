"""What `make deploy` puts into a bucket, what it leaves alone, and what it refuses."""

import io
import json
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from deployment.wheels import pins_for
from orchard.deployed import deployed_environment
from orchard.settings.settings import Settings
from orchard_cli.app import main
from orchard_jobs.errors import OrchardError
from tests.support.airflow.deployments import BUCKET, REGION, Repository, deploy_options, objects, read
from tests.support.checkout import ROOT
from tests.support.tiny_wheel import make_wheel

Deploy = Callable[..., int]


def test_the_bucket_gets_what_a_cluster_and_managed_airflow_need(
    deploy: Deploy, repository: Repository, model: Path, s3: Any
) -> None:
    assert deploy(MODEL=str(model)) == 0
    revision = repository.git("rev-parse", "HEAD")
    keys = objects(s3)
    code = f"code/{revision[:12]}"
    loose = (
        "install_node.sh",
        "orchard_jobs.zip",
        "requirements-tensorflow.txt",
        "requirements.txt",
        "run.py",
    )
    assert {f"{code}/{name}" for name in loose} <= set(keys)
    wheelhouse = read(s3, f"{code}/wheelhouse.txt").decode().strip()
    assert wheelhouse.startswith(f"s3://{BUCKET}/code/wheelhouse/")
    assert f"{wheelhouse.removeprefix(f's3://{BUCKET}/')}/tiny-1.0-py3-none-any.whl" in keys
    assert {"models/m/model.bin", "models/m/card.json"} <= set(keys)
    assert {
        "dags/orchard_features.py",
        "dags/orchard/settings/settings.py",
        "dags/orchard_jobs/contract.py",
    } <= set(keys)
    assert "orchard_jobs/" in read(s3, "dags/.airflowignore").decode().splitlines()
    with zipfile.ZipFile(io.BytesIO(read(s3, "plugins.zip"))) as plugins:
        assert {
            ".airflowignore",
            "orchard_airflow/operators/create_cluster.py",
            "orchard_pages.zip",
            "orchard_plugin.py",
        } <= set(plugins.namelist())
    assert '--constraint "https://' in read(s3, "requirements.txt").decode()
    stamp = json.loads(read(s3, "dags/orchard/deployed.json"))
    assert stamp["revision"] == revision
    assert stamp["environment"] == {
        "ORCHARD_CODE": f"s3://{BUCKET}/{code}",
        "ORCHARD_MODEL": f"s3://{BUCKET}/models/m",
    }


def test_what_managed_airflow_unpacks_anybody_may_read(deploy: Deploy, model: Path, s3: Any) -> None:
    """Root unpacks plugins.zip, with the modes that are in it, and Airflow runs as another user."""
    deploy(MODEL=str(model))
    plugins = zipfile.ZipFile(io.BytesIO(read(s3, "plugins.zip")))
    pages = zipfile.ZipFile(io.BytesIO(plugins.read("orchard_pages.zip")))
    for archive in (plugins, pages):
        modes = {entry.filename: entry.external_attr >> 16 for entry in archive.infolist()}
        assert {stat.filemode(mode) for name, mode in modes.items() if name.endswith("/")} == {"drwxr-xr-x"}
        assert {stat.filemode(mode) for name, mode in modes.items() if not name.endswith("/")} == {
            "-rw-r--r--"
        }
        folders = {f"{folder}/" for name in modes for folder in PurePosixPath(name).parents} - {"./"}
        assert folders <= set(modes), "unzip would make it as the umask of root wants it"


@pytest.mark.skipif(shutil.which("unzip") is None, reason="there is no unzip on this machine")
def test_unzip_with_a_strict_umask_leaves_everything_readable(
    deploy: Deploy, model: Path, s3: Any, tmp_path: Path
) -> None:
    deploy(MODEL=str(model))
    (tmp_path / "plugins.zip").write_bytes(read(s3, "plugins.zip"))
    folder = tmp_path / "plugins"
    command = ["unzip", "-q", tmp_path / "plugins.zip", "-d", folder]
    subprocess.run(command, check=True, umask=0o077)
    found = {path: stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*")}
    assert {mode for path, mode in found.items() if path.is_dir()} == {0o755}
    assert {mode for path, mode in found.items() if path.is_file()} == {0o644}


def test_deploying_again_writes_nothing(deploy: Deploy, model: Path, s3: Any) -> None:
    deploy(MODEL=str(model))
    before = objects(s3)
    assert deploy(MODEL=str(model)) == 0
    assert objects(s3) == before


def test_another_revision_leaves_what_the_first_is_running_on(
    deploy: Deploy, repository: Repository, model: Path, s3: Any
) -> None:
    """And shares its wheels and its model; the DAGs go over to it, and what it no longer has goes."""
    repository.write("dags/orchard/gone.py", "")
    first = repository.commit()
    s3.put_object(Bucket=BUCKET, Key="dags/somebody_elses.py", Body=b"")
    deploy(MODEL=str(model))
    before = objects(s3)
    (repository.folder / "dags/orchard/gone.py").unlink()
    repository.write("spark_jobs/run.py", "print('other code')\n")
    second = repository.commit()
    assert deploy() == 0
    after = objects(s3)
    final = {key for key in before if key.startswith(("code/", "models/"))}
    assert {key: after[key] for key in final} == {key: before[key] for key in final}
    of_first = {key.rpartition("/")[2] for key in final if key.startswith(f"code/{first[:12]}/")}
    assert set(after) - set(before) == {f"code/{second[:12]}/{name}" for name in of_first}
    assert json.loads(read(s3, "dags/orchard/deployed.json"))["environment"]["ORCHARD_MODEL"].endswith("/m")
    assert "dags/orchard/gone.py" not in after
    assert "dags/somebody_elses.py" in after


def test_rolling_back_is_deploying_the_old_revision_though_the_tree_is_dirty(
    deploy: Deploy, repository: Repository, model: Path, s3: Any
) -> None:
    first = repository.git("rev-parse", "HEAD")
    deploy(MODEL=str(model))
    at_first = {key: read(s3, key) for key in objects(s3)}
    repository.write("dags/orchard/more.py", "")
    repository.commit()
    deploy()
    assert "dags/orchard/more.py" in objects(s3)
    repository.write("dags/orchard/half_done.py", "")
    assert deploy(REVISION=first) == 0
    assert {key: read(s3, key) for key in at_first} == at_first
    assert "dags/orchard/more.py" not in objects(s3)


def test_a_revision_from_before_the_package_of_plugins_is_deployed_as_it_was(
    deploy: Deploy, repository: Repository, model: Path, s3: Any
) -> None:
    shutil.rmtree(repository.folder / "plugins")
    for name in ("orchard_emr_create.py", "orchard_pages.py"):
        repository.write(f"plugins/{name}", "")
    repository.commit()
    assert deploy(MODEL=str(model)) == 0
    with zipfile.ZipFile(io.BytesIO(read(s3, "plugins.zip"))) as plugins:
        assert plugins.namelist() == ["orchard_emr_create.py", "orchard_pages.py", "orchard_pages.zip"]
        pages = zipfile.ZipFile(io.BytesIO(plugins.read("orchard_pages.zip")))
    assert "orchard/pages/app.py" in pages.namelist()


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    deploy: Deploy, repository: Repository, model: Path, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert deploy(MODEL=str(model), DRY_RUN="1") == 0
    assert objects(s3) == {}
    shown = capsys.readouterr().out
    revision = repository.git("rev-parse", "--short=12", "HEAD")
    assert f"revision {revision} to s3://{BUCKET} in eu-west-3, with the model s3://{BUCKET}/" in shown
    assert f"new     code/{revision} " in shown
    assert "Nothing was done (dry run)" in shown


def test_it_says_which_versions_managed_airflow_is_to_take(
    deploy: Deploy, model: Path, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    deploy(MODEL=str(model))
    assert f"--plugins-s3-object-version {objects(s3)['plugins.zip']}" in capsys.readouterr().out
    deploy()
    assert "update-environment" not in capsys.readouterr().out


@pytest.mark.parametrize("is_there", [True, False])
def test_it_names_the_version_of_the_startup_script_where_there_is_one(
    is_there: bool, deploy: Deploy, model: Path, s3: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """An update that names no version of it would leave the one before."""
    if is_there:
        s3.put_object(Bucket=BUCKET, Key="startup.sh", Body=b"export A='1'\n")
    deploy(MODEL=str(model))
    command = capsys.readouterr().out.splitlines()[-1]
    given = {word.removeprefix("--") for word in command.split() if word.startswith("--")}
    update = botocore.session.get_session().get_service_model("mwaa").operation_model("UpdateEnvironment")
    assert given <= {xform_name(name, "-") for name in update.input_shape.members}
    of_script = f"--startup-script-s3-object-version {objects(s3).get('startup.sh')}"
    assert (f"--startup-script-s3-path startup.sh {of_script}" in command) is is_there
    assert ("startup" in command) is is_there


def refused(deploy: Deploy, s3: Any, capsys: pytest.CaptureFixture[str], **variables: str) -> str:
    """Deploy; return why nothing has been written, and the hint: two lines."""
    before = objects(s3)
    assert deploy(**variables) == 2
    assert objects(s3) == before
    line, hint = capsys.readouterr().err.splitlines()
    assert hint.startswith("hint: ")
    return f"{line} {hint.removeprefix('hint: ')}"


@pytest.mark.parametrize("path", ["dags/orchard/new.py", "spark_jobs/run.py"])
def test_a_dirty_tree_is_refused(
    path: str, deploy: Deploy, repository: Repository, s3: Any, capsys: Any
) -> None:
    repository.write(path, "# not committed\n")
    assert f"not committed: {path}: only a git revision can be deployed." in refused(deploy, s3, capsys)


@pytest.mark.parametrize("revision", ["0123456789ab", "--output=/tmp/x", "no such"])
def test_an_unknown_revision_is_refused(
    revision: str, deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    said = refused(deploy, s3, capsys, MODEL=str(model), REVISION=revision)
    assert said.startswith(f"orchard: the revision {revision}: this repository has no such commit.")


def test_a_revision_that_cannot_follow_its_code_is_refused(
    deploy: Deploy, repository: Repository, model: Path, s3: Any, capsys: Any
) -> None:
    (repository.folder / "dags/orchard/deployed.py").unlink()
    repository.commit()
    assert "it is older than `make deploy`" in refused(deploy, s3, capsys, MODEL=str(model))


def test_a_revision_from_before_the_folder_was_renamed_is_deployed(
    deploy: Deploy, repository: Repository, model: Path, s3: Any
) -> None:
    (repository.folder / "deployment").rename(repository.folder / "deploy")
    repository.commit()
    assert deploy(MODEL=str(model)) == 0
    assert read(s3, "requirements.txt") == (ROOT / "deployment" / "requirements-mwaa.txt").read_bytes()


def test_the_plan_is_there_for_programs_too(model: Path, s3: Any, deploy: Deploy, capsys: Any) -> None:
    options = deploy_options(BUCKET=BUCKET, REGION=REGION, MODEL=str(model), DRY_RUN="1")
    assert main(["deploy", *options, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["bucket"], plan["region"], plan["is_done"]) == (BUCKET, REGION, False)
    assert {change["kind"] for change in plan["changes"]} == {"new"}
    assert objects(s3) == {}


def test_a_bucket_of_another_region_is_refused(deploy: Deploy, model: Path, s3: Any, capsys: Any) -> None:
    said = refused(deploy, s3, capsys, MODEL=str(model), REGION="us-east-1")
    assert said.startswith(f"orchard: the bucket {BUCKET} is in eu-west-3, and us-east-1 is asked for")


def test_a_bucket_that_is_not_there_is_refused(deploy: Deploy, model: Path, s3: Any, capsys: Any) -> None:
    said = refused(deploy, s3, capsys, MODEL=str(model), BUCKET="another-bucket")
    assert said.startswith("orchard: the bucket another-bucket: there is no such bucket.")


def test_without_a_model_nothing_is_deployed(deploy: Deploy, s3: Any, tmp_path: Path, capsys: Any) -> None:
    assert "no model is given: none is deployed yet" in refused(deploy, s3, capsys)
    assert "it has no usable card.json" in refused(deploy, s3, capsys, MODEL=str(tmp_path))
    said = refused(deploy, s3, capsys, MODEL=f"s3://{BUCKET}/models/none")
    assert f"s3://{BUCKET}/models/none/card.json: Not Found." in said


def test_a_model_that_is_not_what_its_card_says_is_refused(
    deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    (model / "model.bin").write_bytes(b"other weights")
    assert "its card says" in refused(deploy, s3, capsys, MODEL=str(model))


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", ".."])
def test_a_card_that_names_files_elsewhere_is_refused(
    name: str, deploy: Deploy, model: Path, s3: Any, capsys: Any
) -> None:
    (model / "card.json").write_text(json.dumps({"id": "m", "files": {name: "0"}}))
    assert "outside its folder" in refused(deploy, s3, capsys, MODEL=str(model))


def test_a_wheel_whose_hash_differs_is_refused(
    deploy: Deploy, model: Path, s3: Any, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether the index has another one, or the copy of an earlier deployment was changed."""
    monkeypatch.setattr("deployment.deploy.WHEELS", tmp_path / "wheels")
    deploy(MODEL=str(model), DRY_RUN="1")
    capsys.readouterr()
    for wheel in (tmp_path / "wheels").glob("*/*.whl"):
        wheel.write_bytes(wheel.read_bytes() + b"more")
    assert "does not pin: a node would refuse it" in refused(deploy, s3, capsys, MODEL=str(model))
    (tmp_path / "wheels").rename(tmp_path / "wheels of before")
    wheel = tmp_path / "index" / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes() + b"more")
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in refused(deploy, s3, capsys, MODEL=str(model))


def test_a_pin_whose_only_wheel_is_of_a_newer_system_than_the_nodes_is_refused(
    deploy: Deploy, repository: Repository, model: Path, s3: Any, tmp_path: Path, capsys: Any
) -> None:
    wheel = make_wheel(tmp_path / "index", "tiny", "2.0", "cp311-cp311-manylinux_2_35_x86_64")
    digest = sha256(wheel.read_bytes()).hexdigest()
    repository.write("bootstrap/requirements.txt", f"tiny==2.0 --hash=sha256:{digest}")
    repository.commit()
    said = refused(deploy, s3, capsys, MODEL=str(model))
    assert said.startswith("orchard: no wheels for Python 3.11 on x86_64: ERROR: Could not find")


def test_what_a_run_may_be_reading_is_not_overwritten(
    deploy: Deploy, repository: Repository, model: Path, s3: Any, capsys: Any
) -> None:
    key = f"code/{repository.git('rev-parse', 'HEAD')[:12]}/run.py"
    s3.put_object(Bucket=BUCKET, Key=key, Body=b"other bytes")
    assert f"s3://{BUCKET}/{key} exists with different bytes" in refused(deploy, s3, capsys, MODEL=str(model))


def test_markers_are_those_of_the_nodes_not_of_whoever_deploys() -> None:
    requirements = """\
# comment
always==1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via something
old==2 ; python_full_version < '3.13' \\
    --hash=sha256:cc
new==3 ; python_full_version >= '3.12' \\
    --hash=sha256:dd
arm==4 ; platform_machine == 'aarch64' and sys_platform != 'win32' \\
    --hash=sha256:ee
"""
    for_all = ["always==1 --hash=sha256:aa --hash=sha256:bb", "old==2 --hash=sha256:cc"]
    assert list(pins_for(requirements, "x86_64")) == for_all
    assert list(pins_for(requirements, "aarch64")) == [*for_all, "arm==4 --hash=sha256:ee"]


def test_settings_follow_the_deployment_unless_they_are_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stamp = tmp_path / "deployed.json"
    stamp.write_text(
        json.dumps({"environment": {"ORCHARD_CODE": "s3://b/code/1", "ORCHARD_MODEL": "s3://b/m"}})
    )
    monkeypatch.setattr("orchard.settings.settings.deployed_environment", lambda: deployed_environment(stamp))
    places = Settings.from_env({"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": " "}).places
    assert (places.code, places.model) == ("s3://b/code/1", "s3://b/m")
    places = Settings.from_env({"ORCHARD_LAKE": "s3://lake", "ORCHARD_CODE": "s3://other"}).places
    assert (places.code, places.model) == ("s3://other", "s3://b/m")


def test_a_damaged_stamp_is_named(tmp_path: Path) -> None:
    stamp = tmp_path / "deployed.json"
    stamp.write_text('{"environ')
    with pytest.raises(OrchardError, match=r"deployed\.json is damaged: `make deploy` writes it"):
        deployed_environment(stamp)
    assert deployed_environment(tmp_path / "none") == {}


def test_what_others_uploaded_is_compared_by_its_bytes(deploy: Deploy, model: Path, s3: Any) -> None:
    for path in model.iterdir():
        s3.put_object(Bucket=BUCKET, Key=f"models/m/{path.name}", Body=path.read_bytes())
    before = objects(s3)
    assert deploy(MODEL=str(model)) == 0
    assert before.items() <= objects(s3).items()


def test_shellcheck_finds_nothing_in_the_script_of_the_nodes() -> None:
    shellcheck = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [shellcheck, ROOT / "bootstrap" / "install_node.sh"], capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.decode()) == (0, "")
