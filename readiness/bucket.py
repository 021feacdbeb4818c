"""The buckets of lake, images, model, code and logs: their region, and the protection of the lake's."""

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
    """Return the buckets that a nightly run reads and writes, the lake's first."""
    uris = (places.lake, places.images, places.model, places.code, places.logs)
    return list(dict.fromkeys(bucket_and_key(uri)[0] for uri in uris if uri.startswith("s3://")))


def check_scheme(places: Places) -> Iterator[Finding]:
    """Check that all places are in S3, the only storage that an EMR cluster uses."""
    for name in ("lake", "images", "model", "code", "logs"):
        uri = getattr(places, name)
        if not uri.startswith("s3://"):
            remedy = f"set ORCHARD_{name.upper()} to an s3:// URI"
            yield failed(f"ORCHARD_{name.upper()}", f"{uri} is not in S3, which a cluster requires", remedy)


def check_bucket_region(s3: Any, bucket: str, region: str) -> Finding:
    """Check that a bucket is in the region of the cluster and Airflow, so that data does not leave it."""
    check = f"bucket {bucket}"
    try:
        found = find_bucket_region(s3, bucket)
    except OrchardError:
        remedy = (
            "correct the URI that names it, or deploy infra/orchard.yaml, which creates the lake's bucket"
        )
        return failed(check, "it does not exist", remedy)
    if found is None:
        return skipped(check, "its region is unknown", "allow s3:ListBucket, or run the preflight again")
    if found != region:
        remedy = f"name a bucket in {region}, or set ORCHARD_REGION={found}"
        return failed(check, f"it is in {found}, but the cluster is in {region}", remedy)
    return passed(check, f"in {found}")


def check_lake(s3: Any, lake: str) -> Iterator[Finding]:
    """Check the configuration of the lake's bucket. Each check needs a permission of its own."""
    if not lake.startswith("s3://"):
        return  # ``check_scheme`` reports this
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
        except Exception as error:  # a denied check must not hide the others
            if isinstance(error, ClientError) and code_of(error) == "NoSuchBucket":
                return  # ``check_bucket_region`` reports this
            yield explain(title, error)


def _check_versioning(s3: Any, title: str, bucket: str, _: str) -> Finding:
    found = s3.get_bucket_versioning(Bucket=bucket)
    if found.get("Status") == "Enabled":
        return passed(title, "enabled")
    remedy = (
        f"aws s3api put-bucket-versioning --bucket {bucket} --versioning-configuration Status=Enabled, "
        "with a lifecycle rule for old versions"
    )
    return failed(title, "off: overwritten or deleted objects cannot be restored", remedy)


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
    """Check for a lifecycle rule: killed executors leave upload parts, which are billed but not listed."""
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
    remedy = "add a lifecycle rule AbortIncompleteMultipartUpload of 1 day, as in infra/orchard.yaml"
    return failed(title, "no lifecycle rule removes them", remedy)


def _covers(rule: dict[str, Any], folder: str) -> bool:
    """Whether a lifecycle rule covers a whole folder. A rule with a tag or size filter does not."""
    found = rule.get("Filter", {})
    prefix: str = rule.get("Prefix", found.get("Prefix", ""))
    return not found.keys() - {"Prefix"} and folder.startswith(prefix)
