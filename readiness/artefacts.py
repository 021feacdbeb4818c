"""The model artefact and the jobs' code, which a run reads besides images."""

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchard.lake.objects import bucket_and_key
from readiness.finding import Finding, failed, passed
from readiness.refusals import ask
from readiness.target import Clients

CARD = "card.json"
LARGEST_CARD = 2**20  # bytes
CODE = ("run.py", "orchard_jobs.zip", "install_node.sh", "requirements.txt")
WHEELHOUSE = "wheelhouse.txt"
DEPLOYED = "dags/orchard/deployed.json"
MISSING = ("404", "NoSuchKey", "NoSuchBucket")


def read_deployed(clients: Clients, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that ``orchard deploy`` stored beside the DAGs in the lake's bucket, or {}.

    They tell Airflow the URIs of model and code; a checkout does not have them.
    """
    lake = environ.get("ORCHARD_LAKE", "")
    if not lake.startswith("s3://"):
        return {}
    try:
        found = clients.get("s3").get_object(Bucket=bucket_and_key(lake)[0], Key=DEPLOYED)
        variables = json.loads(found["Body"].read(LARGEST_CARD))["environment"]
        return {name: str(variables[name]) for name in ("ORCHARD_MODEL", "ORCHARD_CODE")}
    except (ClientError, BotoCoreError, ValueError, KeyError, TypeError):
        return {}


def check_model(s3: Any, model: str) -> Iterator[Finding]:
    """Check the model's card, and the files that it names."""
    if model.startswith("s3://"):
        yield _check_model(s3, model)


def _check_model(s3: Any, model: str) -> Finding:
    check, deploy = "model", "`orchard deploy --model=FOLDER` uploads one and configures Airflow to use it"
    card = _read_card(s3, f"{model}/{CARD}")
    if card is None:
        return failed(check, f"{model} has no {CARD}", f"correct ORCHARD_MODEL; {deploy}")
    files = card.get("files") if isinstance(card, dict) else None
    if not isinstance(files, dict) or any(PurePosixPath(name).name != name for name in files):
        return failed(check, f"the {CARD} of {model} is invalid", f"correct ORCHARD_MODEL; {deploy}")
    missing = [name for name in files if not _is_there(s3, f"{model}/{name}")]
    if missing:
        return failed(check, f"{model} lacks {', '.join(missing)}", f"upload it again: {deploy}")
    return passed(check, f"{model} with {', '.join([CARD, *files])}")


def check_code(s3: Any, code: str) -> Iterator[Finding]:
    """Check the files that the steps and the bootstrap action run."""
    if not code.startswith("s3://"):
        return
    missing = [name for name in CODE if not _is_there(s3, f"{code}/{name}")]
    if missing:
        remedy = "`orchard deploy` uploads it; or correct ORCHARD_CODE"
        yield failed("code", f"{code} lacks {', '.join(missing)}", remedy)
        return
    has_wheels = _is_there(s3, f"{code}/{WHEELHOUSE}")
    source = "S3" if has_wheels else "PyPI"
    yield passed("code", f"{code}; nodes install packages from {source}")


def _read_card(s3: Any, uri: str) -> Any:
    """Return the content of a card; None if there is none, '' if it is not JSON."""
    bucket, key = bucket_and_key(uri)
    found = ask(lambda: s3.get_object(Bucket=bucket, Key=key), MISSING)
    if found is None:
        return None
    try:
        return json.loads(found["Body"].read(LARGEST_CARD))
    except ValueError:
        return ""


def _is_there(s3: Any, uri: str) -> bool:
    bucket, key = bucket_and_key(uri)
    return ask(lambda: s3.head_object(Bucket=bucket, Key=key), MISSING) is not None
