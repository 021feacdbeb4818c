"""The objects below an ``s3://`` URI, page by page, with several requests under way at once."""

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
"""Ranges listed at once. More would not help: parsing the pages keeps one core busy by then."""

MANY_REQUESTS = Config(
    retries={"mode": "adaptive", "max_attempts": 10},  # slows down when S3 throttles
    max_pool_connections=WORKERS + 1,
)

UNORDERED = "--x-s3"
"""How the names of directory buckets (S3 Express) end. They know no order of keys, and so no ranges."""


def list_bucket(uri: str, access: Access) -> Iterator[list[dict[str, Any]]]:
    """Yield all objects below ``uri``, as the ``Contents`` of ListObjectsV2; which page is next is chance.

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
            rule="listing needs AWS credentials, a region and a way to S3",
            remedy="check ORCHARD_AWS_CONN_ID and ORCHARD_REGION, or the environment that boto3 reads",
        ) from error


def list_pages(client: Any, bucket: str, prefix: str) -> Iterator[list[dict[str, Any]]]:
    """Yield the objects whose keys begin with ``prefix``. This thread decides, the others only ask S3."""
    ranges = KeyRanges()
    pending: dict[Future[Any], Range | FolderSearch] = {}
    with ThreadPoolExecutor(WORKERS + 1, "list-objects") as pool:

        def ask(task: Range | FolderSearch) -> None:
            request = {"Bucket": bucket, "Prefix": prefix, **task.request}
            pending[pool.submit(client.list_objects_v2, **request)] = task

        ask(*ranges.open)
        if not bucket.endswith(UNORDERED):
            ask(FolderSearch(prefix, ranges, enough=WORKERS))
        while ranges.open:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                task = pending.pop(future)
                objects = task.take(future.result())
                if not task.is_done:
                    ask(task)
                yield objects
            while len(ranges.open) < WORKERS and (half := ranges.cut()):
                ask(half)


def bucket_and_prefix(uri: str) -> tuple[str, str]:
    """Return the bucket and what the keys below ``uri`` begin with: '' or something that ends in '/'."""
    bucket, key = bucket_and_key(uri)
    return bucket, f"{key}/" if key else ""


def open_client(access: Access) -> Any:
    """Return a client of S3 for many requests at once."""
    hook = s3_hook(access)
    client = hook.get_client_type(hook.region_name, hook.config.merge(MANY_REQUESTS))
    client.meta.events.register("before-parse.s3.ListObjectsV2", _parse_objects)
    return client


def _parse_objects(
    response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object
) -> None:
    """Parse a page's objects and leave botocore the rest: it would take 60 µs for each, most for its date."""
    if response_dict["status_code"] != 200:  # also where botocore has found no XML
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
    return OrchardError(f"cannot list {uri}: {code}", rule="Airflow lists the images", remedy=remedies[code])
