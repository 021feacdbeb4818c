"""Checks of docker-compose.yaml and .env that would take `make compose-test` half an hour."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from local_airflow import compose_env
from tests.support.checkout import ROOT

TEXT = (ROOT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
EXAMPLE = compose_env.read(ROOT / ".env.example")
ENDS = {"init", "model"}
SECRET = re.compile("PASSWORD|TOKEN|KEY|SECRET")


def test_the_services_are_those_of_airflows_own_file_and_ours() -> None:
    airflow = {"postgres", "init", "api-server", "scheduler", "dag-processor", "triggerer"}
    assert set(SERVICES) == airflow | {"model", "emr", "history", "jupyter"}
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    # Neither runs by default: the one is protected by a token only, the other not at all.
    assert profiles == {"jupyter": ["notebook"], "history": ["history"]}


def test_no_service_takes_the_machine_down() -> None:
    for name, service in SERVICES.items():
        assert service["mem_limit"], name
        assert 0 < service["pids_limit"] <= 4096, name


def test_what_signs_sessions_is_known_where_people_log_in_and_nowhere_else() -> None:
    for secret in ("AIRFLOW__API__SECRET_KEY", "ADMIN_PASSWORD"):
        assert [name for name, service in SERVICES.items() if secret in service.get("environment", {})] == [
            "api-server"
        ]


def test_every_published_port_is_on_loopback() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(ports) == {"api-server", "history", "jupyter"}
    for name, published in ports.items():
        assert [port for port in published if not port.startswith("127.0.0.1:")] == [], name


def test_every_service_that_stays_up_has_a_healthcheck_and_starts_again() -> None:
    for name, service in SERVICES.items():
        assert ("healthcheck" in service) == (name not in ENDS), name
        assert service["restart"] == ("no" if name in ENDS else "unless-stopped"), name
    awaited = {
        other: how["condition"]
        for service in SERVICES.values()
        for other, how in service.get("depends_on", {}).items()
    }
    assert {awaited[name] for name in ENDS} == {"service_completed_successfully"}
    assert {how for name, how in awaited.items() if name not in ENDS} == {"service_healthy"}


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_may_do_more_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & set(service)
    assert not any("docker.sock" in volume for volume in service.get("volumes", ()))


def test_nobody_is_root() -> None:
    files = {"spark": "USER ${UID}:0", "airflow": "", "jupyter": "USER 50000:0"}
    for name, service in SERVICES.items():
        image = service.get("image", "").removeprefix("orchard-").removesuffix(":local")
        in_image = files.get(image) and files[image] in (ROOT / "docker" / f"{image}.Dockerfile").read_text()
        assert service.get("user", "").startswith(("postgres", "${ORCHARD_UID")) or in_image, name


def test_the_lake_is_mounted_where_it_is_used_and_images_are_read_only() -> None:
    mounts = {name: _lake_mounts(service) for name, service in SERVICES.items()}
    assert {name: found for name, found in mounts.items() if found} == {
        "api-server": {"": "/lake:ro"},
        "scheduler": {"": "/lake", "/images": "/lake/images:ro"},
        "emr": {"": "/lake:ro", "/runs": "/lake/runs", "/logs": "/lake/logs"},
        "model": {"/models": "/lake/models", "/weights": "/lake/weights:ro"},
        "history": {"/logs/spark-events": "/spark-events:ro"},
        "jupyter": {"": "/lake:ro"},
    }


def test_only_airflow_reaches_the_emr_and_the_database_and_neither_has_a_way_out() -> None:
    inside = {
        net: {name for name, one in SERVICES.items() if net in one["networks"]} for net in COMPOSE["networks"]
    }
    assert inside["emr"] == {"emr", "scheduler", "triggerer"}
    airflow = {"init", "api-server", "scheduler", "dag-processor", "triggerer"}
    assert inside["database"] == {"postgres"} | airflow
    internal = {name for name, network in COMPOSE["networks"].items() if network.get("internal")}
    assert internal == {"database", "airflow", "emr"}
    assert SERVICES["emr"]["networks"] == ["emr"]


def test_only_who_asks_the_emr_has_its_key() -> None:
    holders = {
        name: [volume for volume in service.get("volumes", ()) if volume.startswith("emr-key:")]
        for name, service in SERVICES.items()
    }
    assert {name: found for name, found in holders.items() if found} == {
        "emr": ["emr-key:/run/emr"],
        "scheduler": ["emr-key:/run/emr:ro"],
        "triggerer": ["emr-key:/run/emr:ro"],
    }
    assert "--credentials-file=/run/emr/credentials" in SERVICES["emr"]["command"]
    assert SERVICES["scheduler"]["environment"]["AWS_SHARED_CREDENTIALS_FILE"] == "/run/emr/credentials"


def test_every_image_is_pinned_and_every_base_is_a_build_argument() -> None:
    bases = {name: image for name, image in EXAMPLE.items() if name.endswith("_IMAGE")}
    for image in bases.values():
        assert re.fullmatch(r"[a-z/]+:[a-z-]*\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*(@sha256:[0-9a-f]{64})?", image), (
            image
        )
    for service in SERVICES.values():
        image = service["image"]
        assert image.startswith("${POSTGRES_IMAGE") or (image.endswith(":local") and "build" in service), (
            image
        )
    for file in (ROOT / "docker").glob("*.Dockerfile"):
        for base in re.findall(r"^FROM (\S+)", file.read_text(), re.MULTILINE):
            assert base.removeprefix("${").removesuffix("}") in bases, file


def test_every_setting_is_in_the_example_and_no_secret_has_a_value_there() -> None:
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT)) - {"HTTPS_PROXY"}
    assert used == set(EXAMPLE)
    assert {name for name, value in EXAMPLE.items() if not value} == set(compose_env.value_factories())
    assert {name for name in EXAMPLE if SECRET.search(name)} < set(compose_env.value_factories())
    assert re.findall(r"\$\{(?!HTTPS_PROXY)[A-Z_]+:?-", TEXT) == [], "a default has its place in .env.example"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(ROOT / ".env.example", tmp_path)
    monkeypatch.setattr(compose_env, "ROOT", tmp_path)
    return tmp_path


def test_env_is_written_for_its_owner_alone_with_secrets_of_its_own(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compose_env.main() == 0
    written = compose_env.read(root / ".env")
    assert (root / ".env").stat().st_mode & 0o777 == 0o600
    assert set(written) == set(EXAMPLE)
    secrets = [value for name, value in written.items() if SECRET.search(name)]
    assert min(map(len, secrets)) >= 20
    assert len(set(secrets)) == len(secrets)
    assert written["ORCHARD_UID"] != "0"
    told = capsys.readouterr()
    assert [value for value in secrets if value in told.out + told.err] == []
    assert {path.name for path in (root / "lake").iterdir()} == {
        "images",
        "weights",
        "models",
        "runs",
        "logs",
    }


@pytest.mark.parametrize("name", ["lake", "a/lake", "~/lake"])
def test_a_lake_that_compose_would_take_for_a_volume_is_one_clear_line(
    name: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    example = (root / ".env.example").read_text()
    (root / ".env.example").write_text(example.replace("ORCHARD_LAKE_DIR=./lake", f"ORCHARD_LAKE_DIR={name}"))
    assert compose_env.main() == 2
    assert (
        f"ORCHARD_LAKE_DIR={name}: it must be a path that begins with ./, ../ or /" in capsys.readouterr().err
    )
    assert not (root / ".env").exists()


def test_what_env_says_already_is_kept(root: Path) -> None:
    compose_env.main()
    before = (root / ".env").read_text().replace("AIRFLOW_PORT=8080", "AIRFLOW_PORT=9090")
    (root / ".env").write_text(f"{before.replace('JUPYTER_TOKEN=', 'GONE=')}MINE=a b\n")
    compose_env.main()
    after = compose_env.read(root / ".env")
    assert after["AIRFLOW_PORT"] == "9090"
    assert after["MINE"] == "a b"
    assert after["POSTGRES_PASSWORD"] in before
    assert after["JUPYTER_TOKEN"] not in before
    assert set(EXAMPLE) < set(after)


def test_env_and_lake_are_in_neither_git_nor_an_image() -> None:
    ignored = subprocess.run(
        ["git", "check-ignore", ".env", ".env.new", "lake/images/a/1.jpg"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert len(ignored.stdout.splitlines()) == 3
    sent = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert sent[0] == "*"
    assert not {"!.env", "!lake", "!."} & set(sent)


def _lake_mounts(service: dict[str, Any]) -> dict[str, str]:
    found = (
        re.fullmatch(r"\$\{ORCHARD_LAKE_DIR[^}]*\}([^:]*):(.*)", volume)
        for volume in service.get("volumes", ())
    )
    return {mount[1]: mount[2] for mount in found if mount}
