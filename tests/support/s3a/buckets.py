"""Objects in the buckets of the tests."""

from pathlib import Path

import boto3

from orchard.lake.objects import bucket_and_key

HARD_NAMES = ("a b/two  spaces.jpg", "a b/#1.jpg", "50%/100%.jpg", "50%/%20.jpg", "ü/é.jpg", "a+b/1+1 &=.jpg")
CORRUPT = "a b/corrupt #1.jpg"
IMAGES, LAKE = "fruit", "lake"
CODE = f"s3://{LAKE}/50% ü #1 + more/code"


def upload(folder: Path, uri: str) -> None:
    """Copy every file below ``folder`` to a folder in S3. In ``uri``, the key is not quoted."""
    bucket, prefix = bucket_and_key(uri)
    for path in folder.rglob("*"):
        if path.is_file():
            key = f"{prefix}/{path.relative_to(folder).as_posix()}"
            boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def download(uri: str, folder: Path) -> None:
    """Copy every Parquet file directly below a folder in S3."""
    folder.mkdir()
    for name in keys_below(uri):
        if name.endswith(".parquet"):
            (folder / name).write_bytes(read(f"{uri}/{name}"))


def read(uri: str) -> bytes:
    bucket, key = bucket_and_key(uri)
    content: bytes = boto3.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def keys_below(uri: str) -> list[str]:
    """Return the keys below a folder, relative to it."""
    bucket, prefix = bucket_and_key(f"{uri}/")
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"].removeprefix(prefix) for page in pages for item in page.get("Contents", ())]


def incomplete_uploads(uri: str) -> list[str]:
    """Return the keys of unfinished multipart uploads below a folder."""
    bucket, prefix = bucket_and_key(f"{uri}/")
    uploads = boto3.client("s3").list_multipart_uploads(Bucket=bucket).get("Uploads", ())
    return [upload["Key"] for upload in uploads if upload["Key"].startswith(prefix)]
