"""The buckets of lake and images: where they are, and what the lake's promises."""

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from orchard.lake.objects import bucket_and_key
from orchard.sensing.regions import find_bucket_region
from orchard.settings.settings import Places
from orchard_jobs.errors import OrchardError
from readiness.finding import Finding, failed, passed, skipped
from readiness.refusals import ask, code_of, explain

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def list_buckets(places: Places) -> list[str]:
    """Return the buckets of what a night reads and writes, the lake's first."""
    uris = (places.lake, places.images, places.model, places.code, places.logs)
    return list(dict.fromkeys(bucket_and_key(uri)[0] for uri in uris if uri.startswith("s3://")))


def check_scheme(places: Places) -> Iterator[Finding]:
    """A cluster of EMR reads and writes S3 alone."""
    for name in ("lake", "images", "model", "code", "logs"):
        uri = getattr(places, name)
        if not uri.startswith("s3://"):
            remedy = f"set ORCHARD_{name.upper()} to an s3:// URI"
            yield failed(f"ORCHARD_{name.upper()}", f"{uri} is not in S3, where a cluster looks", remedy)


def check_bucket_region(s3: Any, bucket: str, region: str) -> Finding:
    """Nodes and Airflow work in one region, and data does not leave it."""
    check = f"bucket {bucket}"
    try:
        found = find_bucket_region(s3, bucket)
    except OrchardError:
        remedy = "correct the URI that names it, or deploy infra/orchard.yaml, which makes the lake's"
        return failed(check, "there is none", remedy)
    if found is None:
        return skipped(check, "it does not tell its region", "allow s3:ListBucket, or run it again")
    if found != region:
        remedy = f"name a bucket of {region}, or set ORCHARD_REGION={found}"
        return failed(check, f"it is in {found}, and the cluster in {region}", remedy)
    return passed(check, f"in {found}")


def check_lake(s3: Any, lake: str) -> Iterator[Finding]:
    """What the lake's bucket does by itself, each by its own permission."""
    if not lake.startswith("s3://"):
        return  # ``check_scheme`` says so
    bucket, folder = bucket_and_key(lake)
    checks: tuple[tuple[str, Callable[..., Finding]], ...] = (
        ("versioning", _check_versioning),
        ("encryption", _check_encryption),
        ("public access", _check_public_access),
        ("unfinished uploads", _check_unfinished_uploads),
    )
    for name, check in checks:
        title = f"lake: {name}"
        try:
            yield check(s3, title, bucket, folder)
        except Exception as error:  # one that is denied does not hide the others
            if isinstance(error, ClientError) and code_of(error) == "NoSuchBucket":
                return  # ``check_bucket_region`` says so
            yield explain(title, error)


def _check_versioning(s3: Any, title: str, bucket: str, _: str) -> Finding:
    found = s3.get_bucket_versioning(Bucket=bucket)
    if found.get("Status") == "Enabled":
        return passed(title, "enabled")
    remedy = (
        f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled, "
        "with a lifecycle rule for old versions"
    )
    return failed(title, "off: what is overwritten or deleted cannot be brought back", remedy)


def _check_encryption(s3: Any, title: str, bucket: str, _: str) -> Finding:
    none = ("ServerSideEncryptionConfigurationNotFoundError",)
    found = ask(lambda: s3.get_bucket_encryption(Bucket=bucket), none)
    if found is None:
        remedy = f"aws s3api put-bucket-encryption --bucket {bucket} …, with AES256 or aws:kms"
        return failed(title, "none", remedy)
    (rule, *_others) = found["ServerSideEncryptionConfiguration"]["Rules"]
    default = rule["ApplyServerSideEncryptionByDefault"]
    key = default.get("KMSMasterKeyID")
    return passed(title, default["SSEAlgorithm"] + (f" with {key}" if key else ""))


def _check_public_access(s3: Any, title: str, bucket: str, _: str) -> Finding:
    none = ("NoSuchPublicAccessBlockConfiguration",)
    answer = ask(lambda: s3.get_public_access_block(Bucket=bucket), none)
    found = answer["PublicAccessBlockConfiguration"] if answer else {}
    missing = [name for name in BLOCKS if not found.get(name)]
    if not missing:
        return passed(title, "blocked")
    wanted = ",".join(f"{name}=true" for name in BLOCKS)
    remedy = (
        f"aws s3api put-public-access-block --bucket {bucket} --public-access-block-configuration {wanted}"
    )
    return failed(title, f"the bucket itself does not set {', '.join(missing)}", remedy)


def _check_unfinished_uploads(s3: Any, title: str, bucket: str, folder: str) -> Finding:
    """Killed executors leave parts of uploads, which are paid for and which no listing shows."""
    none = ("NoSuchLifecycleConfiguration",)
    answer = ask(lambda: s3.get_bucket_lifecycle_configuration(Bucket=bucket), none)
    rules = answer["Rules"] if answer else []
    days = [
        rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
        for rule in rules
        if rule["Status"] == "Enabled"
        and "AbortIncompleteMultipartUpload" in rule
        and _covers(rule, f"{folder}/runs/".lstrip("/"))
    ]
    if days:
        return passed(title, f"removed after {min(days)} day{'s' if min(days) > 1 else ''}")
    remedy = "add a lifecycle rule AbortIncompleteMultipartUpload of 1 day, as infra/orchard.yaml has"
    return failed(title, "no lifecycle rule removes them", remedy)


def _covers(rule: dict[str, Any], folder: str) -> bool:
    """Whether a lifecycle rule is for all that is in a folder. One for objects with a tag or size is not."""
    found = rule.get("Filter", {})
    prefix: str = rule.get("Prefix", found.get("Prefix", ""))
    return not found.keys() - {"Prefix"} and folder.startswith(prefix)
