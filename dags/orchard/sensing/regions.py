"""Check that buckets are in the configured region, so that data does not leave it unnoticed."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchard.lake.objects import bucket_and_key
from orchard.settings.aws import Access
from orchard.settings.hooks import s3_hook
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)


def check_regions(access: Access, *uris: str) -> None:
    """Check the buckets of ``uris`` against ORCHARD_REGION, if that is set.

    If a bucket's region cannot be determined, log a warning only.

    Raises:
        OrchardError: for the first bucket that does not exist, or is in another region.
    """
    buckets = dict.fromkeys(bucket_and_key(uri)[0] for uri in uris if uri.startswith("s3://"))
    if access.region is None or not buckets:
        return
    client = s3_hook(access).conn
    for bucket in buckets:
        found = find_bucket_region(client, bucket)
        if found is None:
            log.warning(
                "Cannot determine the region of s3://%s: ORCHARD_REGION=%s is not checked",
                bucket,
                access.region,
            )
        elif found != access.region:
            raise OrchardError(
                f"s3://{bucket} is in {found}",
                rule=f"lake and images must be in ORCHARD_REGION={access.region}",
                remedy="correct ORCHARD_REGION, or use a bucket in that region",
            )


def find_bucket_region(client: Any, bucket: str) -> str | None:
    """Return the region of a bucket, with one HeadBucket; None if the response does not name it.

    S3 names the region even if it denies access, so this requires no permission of its own.

    Raises:
        OrchardError: if the bucket does not exist.
    """
    try:
        found = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            raise OrchardError(
                f"no bucket s3://{bucket}",
                rule="the buckets of lake and images must exist",
                remedy="correct the URI, or create the bucket",
            ) from None
        found = error.response
    except BotoCoreError as error:
        log.warning("Cannot look up the region of s3://%s: %s", bucket, error)
        return None
    header = found["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
    region: str | None = found.get("BucketRegion") or header
    return region
