"""Time and memory to find new images among a million in S3: ``make bench-listing``.

A generated bucket replaces S3. The real client signs the requests and parses the pages, but nothing goes
over a network: the seconds are CPU time of this machine. They include generating the pages, about 2 s for a
million images.
"""

import os
import resource
import sys
import time
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import pyarrow as pa
from botocore.awsrequest import AWSResponse

from orchard.lake.ledger import LEDGER_SCHEMA
from orchard.lake.parquet import from_parquet, to_parquet
from orchard.sensing import listing_s3
from orchard.sensing.diff import difference
from orchard.sensing.listing import list_images
from orchard.sensing.listing_s3 import open_client
from orchard.settings.aws import Access

MOST_SECONDS = 60
MOST_MB = 1536

PAGE_SIZE = 1000
PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>generated</Name>'
    "<MaxKeys>1000</MaxKeys><EncodingType>url</EncodingType>{}</ListBucketResult>"
)
CONTINUED = "<IsTruncated>true</IsTruncated><NextContinuationToken>{}</NextContinuationToken>"
FOLDER = "<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>"
OBJECT = (
    "<Contents><Key>{}</Key><LastModified>2026-05-01T12:34:56.000Z</LastModified>"
    "<ETag>&quot;{:032x}&quot;</ETag><ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm>"
    "<ChecksumType>FULL_OBJECT</ChecksumType><Size>5000</Size><StorageClass>STANDARD</StorageClass></Contents>"
)


class Case(NamedTuple):
    """A number of images and labels; one in a hundred images is new, or none."""

    images: int
    labels: int
    has_new: bool

    @property
    def new(self) -> int:
        return len(range(0, self.images, 100)) if self.has_new else 0


class Cost(NamedTuple):
    """The cost of a case: seconds, CPU seconds, and the peak memory of the process in MB."""

    listing: float
    difference: float
    cpu: float
    memory: float


class Keys(Sequence[str]):
    """The keys of the bucket in order, generated on demand to save memory."""

    def __init__(self, case: Case) -> None:
        self._count = case.images
        self._of_a_label = -(-case.images // case.labels)

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: Any) -> Any:
        return f"label{index // self._of_a_label:06d}/image{index:09d}.jpg"

    def folders(self) -> list[str]:
        return [self[first].partition("/")[0] + "/" for first in range(0, self._count, self._of_a_label)]


class Answer(NamedTuple):
    """The body of an HTTP response, as botocore reads it."""

    data: bytes

    def stream(self) -> Iterator[bytes]:
        yield self.data


class GeneratedBucket:
    """Responds to ListObjectsV2, as a handler of botocore's event ``before-send``."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._folders = keys.folders()

    def __call__(self, request: Any, **_: Any) -> AWSResponse:
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.url).query).items()}
        names, entry = (self._folders, FOLDER) if "delimiter" in query else (self._keys, OBJECT)
        first = bisect_right(names, query.get("continuation-token", query.get("start-after", "")))
        last = min(first + PAGE_SIZE, len(names))
        entries = [entry.format(names[index], index) for index in range(first, last)]
        if last < len(names):
            entries.append(CONTINUED.format(names[last - 1]))
        return AWSResponse(request.url, 200, {}, Answer(PAGE.format("".join(entries)).encode()))


def measure(case: Case) -> Cost:
    """List the bucket of ``case`` and compare it with a ledger, in a fresh process."""
    os.environ |= {"AWS_ACCESS_KEY_ID": "-", "AWS_SECRET_ACCESS_KEY": "-", "AWS_DEFAULT_REGION": "us-east-1"}
    bucket = GeneratedBucket(Keys(case))

    def open_generated(access: Access) -> Any:
        client = open_client(access)
        client.meta.events.register("before-send.s3.ListObjectsV2", bucket)
        return client

    listing_s3.open_client = open_generated
    listing, to_list, cpu_to_list = measure_call(list_images, "s3://generated", Access())
    ledger = build_ledger(listing, case)
    new, to_compare, cpu_to_compare = measure_call(compare, listing, to_parquet(ledger))
    if (listing.num_rows, new) != (case.images, case.new):
        raise SystemExit(f"{listing.num_rows} images, {new} of them new, in {case}")
    return Cost(to_list, to_compare, cpu_to_list + cpu_to_compare, peak_memory())


def compare(listing: pa.Table, ledger: bytes) -> int:
    """Do the same with a listing as a run: read the ledger, compare, and write the files for the jobs."""
    found = difference(listing, from_parquet(ledger, LEDGER_SCHEMA))
    to_parquet(found.earlier)
    to_parquet(found.new)
    return int(found.new.num_rows)


def build_ledger(listing: pa.Table, case: Case) -> pa.Table:
    """Return a ledger of the images of ``listing`` that are not new, in its own memory."""
    known = listing.filter(pa.array([not case.has_new or row % 100 > 0 for row in range(listing.num_rows)]))
    status, run = (pa.repeat(text, known.num_rows) for text in ("ok", "scheduled__2026-11-22"))
    return pa.table([known["path"], known["etag"], status, run], schema=LEDGER_SCHEMA)


def measure_call(function: Any, *arguments: Any) -> tuple[Any, float, float]:
    """Call a function; return its result, the seconds and the CPU seconds."""
    start, cpu_start = time.perf_counter(), time.process_time()
    result = function(*arguments)
    return result, time.perf_counter() - start, time.process_time() - cpu_start


def peak_memory() -> float:
    bytes_each = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * bytes_each / 2**20


def main() -> None:
    images = int(os.environ.get("OBJECTS") or 1_000_000)
    print("  objects   labels      new   list s   diff s    CPU s  peak MB")
    is_kept = True
    for case in [Case(images, labels, has_new) for labels in (120, 100_000) for has_new in (False, True)]:
        # A process for each case, because the peak memory of a process never falls.
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            cost = pool.submit(measure, case).result()
        print(f"{images:9,} {case.labels:8,} {case.new:8,}", end=" ")
        print(f"{cost.listing:8.1f} {cost.difference:8.1f} {cost.cpu:8.1f} {cost.memory:8.0f}", flush=True)
        is_kept &= cost.listing + cost.difference <= MOST_SECONDS and cost.memory <= MOST_MB
    if not is_kept:
        sys.exit(f"the limits are {MOST_SECONDS} s and {MOST_MB} MB")


if __name__ == "__main__":
    main()
