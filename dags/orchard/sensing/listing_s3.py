"""List the objects below an ``s3://`` URI, page by page, with concurrent requests."""

from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from orchard.lake.objects import bucket_and_key
from orchard.sensing.key_ranges import FolderSearch, KeyRanges, Range
from orchard.settings.aws import Access
from orchard.settings.hooks import s3_hook
from orchard_jobs.errors import OrchardError

WORKERS = 8
"""Ranges listed in parallel. More would not help: parsing their pages already keeps one core busy."""

MANY_REQUESTS = Config(
    retries={"mode": "adaptive", "max_attempts": 10},  # slows down when S3 throttles
    max_pool_connections=WORKERS + 1,
)

UNORDERED = "--x-s3"
"""Name suffix of directory buckets (S3 Express), which do not list keys in order, so ranges do not work."""


def list_bucket(uri: str, access: Access) -> Iterator[list[dict[str, Any]]]:
    """Yield all objects below ``uri``, as pages of ListObjectsV2's ``Contents``, in any order.

    Raises:
        OrchardError: if they cannot be listed.
    """
    try:
        yield from list_pages(open_client(access), *bucket_and_prefix(uri))
    except ClientError as error:
        raise _explain(uri, error) from error
    except BotoCoreError as error:
        raise OrchardError(
            f"cannot list {uri}: {error}",
            rule="listing requires AWS credentials, a region and network access to S3",
            remedy="check ORCHARD_AWS_CONN_ID and ORCHARD_REGION, or the environment that boto3 reads",
        ) from error


def list_pages(client: Any, bucket: str, prefix: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects whose keys start with ``prefix``. Other threads only send the requests."""
    ranges = KeyRanges()
    pending: dict[Future[Any], Range | FolderSearch] = {}
    with ThreadPoolExecutor(WORKERS + 1, "list-objects") as pool:

        def submit(task: Range | FolderSearch) -> None:
            request = {"Bucket": bucket, "Prefix": prefix, **task.request}
            pending[pool.submit(client.list_objects_v2, **request)] = task

        submit(*ranges.open)
        if not bucket.endswith(UNORDERED):
            submit(FolderSearch(prefix, ranges, enough=WORKERS))
        while ranges.open:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                task = pending.pop(future)
                objects = task.take(future.result())
                if not task.is_done:
                    submit(task)
                yield objects
            while len(ranges.open) < WORKERS and (half := ranges.cut()):
                submit(half)


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Return the bucket, and the prefix of the keys below ``uri``: '' or a key that ends in '/'."""
    bucket, key = bucket_and_key(uri)
    return bucket, f"{key}/" if key else ""


def open_client(access: Access) -> Any:
    """Return an S3 client for concurrent requests."""
    hook = s3_hook(access)
    client = hook.get_client_type(hook.region_name, hook.config.merge(MANY_REQUESTS))
    client.meta.events.register("before-parse.s3.ListObjectsV2", _parse_objects)
    return client


def _parse_objects(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Parse a page's objects, for which botocore takes 60 µs each, mostly for the date; leave it the rest."""
    if response_dict["status_code"] != 200:  # also if botocore has found no XML
        return
    root = ElementTree.fromstring(response_dict["body"])  # noqa: S314 - as botocore does
    elements = root.findall("{*}Contents")
    for element in elements:
        root.remove(element)
    response_dict["body"] = ElementTree.tostring(root)
    customized_response_dict["Contents"] = [_parse_object(element) for element in elements]


def _parse_object(element: ElementTree.Element) -> dict[str, Any]:
    texts = {child.tag.rpartition("}")[2]: child.text for child in element}
    return {
        "Key": texts["Key"],
        "ETag": texts["ETag"],
        "Size": int(texts["Size"] or 0),
        "LastModified": datetime.fromisoformat(texts["LastModified"] or ""),
    }


def _explain(uri: str, error: ClientError) -> Exception:
    code: str = error.response["Error"]["Code"]
    remedies = {
        "NoSuchBucket": "correct the images URI, or create the bucket",
        "AccessDenied": "allow Airflow's role s3:ListBucket on the bucket",
        "403": "allow Airflow's role s3:ListBucket on the bucket",
    }
    if code not in remedies:
        unexpected: Exception = error
        return unexpected
    return OrchardError(
        f"cannot list {uri}: {code}", rule="Airflow must be able to list the images", remedy=remedies[code]
    )
