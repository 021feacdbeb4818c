"""Whether the buckets are where the settings say: data does not leave its region unnoticed."""

import logging
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from orchard.lake.objects import bucket_and_key
from orchard.settings.aws import Access
from orchard.settings.hooks import s3_hook
from orchard_jobs.errors import OrchardError

log = logging.getLogger(__name__)


def check_regions(access: Access, *uris: str) -> None:
    """Check the buckets of ``uris`` against ORCHARD_REGION, where that is set.

    A bucket that does not tell where it is only gets a line in the log.

    Raises:
        OrchardError: for the first bucket that is not there, or in another region.
    """
    buckets = dict.fromkeys(bucket_and_key(uri)[0] for uri in uris if uri.startswith("s3://"))
    if access.region is None or not buckets:
        return
    client = s3_hook(access).conn
    for bucket in buckets:
        found = find_bucket_region(client, bucket)
        if found is None:
            log.warning(
                "s3://%s does not tell its region: ORCHARD_REGION=%s is not checked", bucket, access.region
            )
        elif found != access.region:
            raise OrchardError(
                f"s3://{bucket} is in {found}",
                rule=f"lake and images are in ORCHARD_REGION={access.region}",
                remedy="correct ORCHARD_REGION, or name a bucket of that region",
            )


def find_bucket_region(client: Any, bucket: str) -> str | None:
    """Return the region of a bucket, with one HeadBucket; None where neither it nor its refusal says so.

    S3 names the region even where it denies the rest, so this asks for no permission of its own.

    Raises:
        OrchardError: if there is no such bucket.
    """
    try:
        found = client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
            raise OrchardError(
                f"no bucket s3://{bucket}",
                rule="lake and images are in buckets that there are",
                remedy="correct the URI, or create the bucket",
            ) from None
        found = error.response
    except BotoCoreError as error:
        log.warning("cannot ask for the region of s3://%s: %s", bucket, error)
        return None
    header = found["ResponseMetadata"].get("HTTPHeaders", {}).get("x-amz-bucket-region")
    region: str | None = found.get("BucketRegion") or header
    return region
