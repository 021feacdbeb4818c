"""What a run reads beside images: the model artefact, and the code of the jobs."""

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
    """Return the variables that ``orchard deploy`` gave the DAGs, from the lake's bucket; {} where it cannot.

    Beside the DAGs lies what Airflow knows of model and code; a checkout does not have it.
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
    """The card of the model, and the files that it names."""
    if model.startswith("s3://"):
        yield _check_model(s3, model)


def _check_model(s3: Any, model: str) -> Finding:
    check, make = "model", "`orchard deploy --model=FOLDER` uploads one, and names it to Airflow"
    card = _read_card(s3, f"{model}/{CARD}")
    if card is None:
        return failed(check, f"{model} has no {CARD}", f"correct ORCHARD_MODEL; {make}")
    files = card.get("files") if isinstance(card, dict) else None
    if not isinstance(files, dict) or any(PurePosixPath(name).name != name for name in files):
        return failed(check, f"the {CARD} of {model} is not one", f"correct ORCHARD_MODEL; {make}")
    missing = [name for name in files if not _is_there(s3, f"{model}/{name}")]
    if missing:
        return failed(check, f"{model} lacks {', '.join(missing)}", f"upload it again: {make}")
    return passed(check, f"{model} with {', '.join([CARD, *files])}")


def check_code(s3: Any, code: str) -> Iterator[Finding]:
    """What steps and the bootstrap action are made of."""
    if not code.startswith("s3://"):
        return
    missing = [name for name in CODE if not _is_there(s3, f"{code}/{name}")]
    if missing:
        remedy = "`orchard deploy` uploads it; or correct ORCHARD_CODE"
        yield failed("code", f"{code} lacks {', '.join(missing)}", remedy)
        return
    has_wheels = _is_there(s3, f"{code}/{WHEELHOUSE}")
    source = "S3" if has_wheels else "PyPI"
    yield passed("code", f"{code}; nodes take their packages from {source}")


def _read_card(s3: Any, uri: str) -> Any:
    """Return what is in a card; None where there is none, and '' where it is no JSON."""
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
