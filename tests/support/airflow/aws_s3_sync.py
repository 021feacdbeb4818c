"""Replaces the AWS CLI's command in install_node.sh: ``aws s3 sync [filters] s3://… folder``."""

import fnmatch
import sys
from pathlib import Path

import boto3


def main(arguments: list[str]) -> None:
    service, action, *rest = arguments
    assert (service, action) == ("s3", "sync"), arguments
    rest = [argument for argument in rest if argument != "--only-show-errors"]
    filters = []
    while rest[0] in ("--exclude", "--include"):
        filters.append((rest.pop(0) == "--include", rest.pop(0)))
    source, target = rest
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    client = boto3.client("s3")
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/"):
        for key in (item["Key"] for item in page.get("Contents", ())):
            name = key.removeprefix(f"{prefix}/")
            if is_included(name, filters):
                (Path(target) / name).parent.mkdir(parents=True, exist_ok=True)
                client.download_file(bucket, key, str(Path(target) / name))


def is_included(name: str, filters: list[tuple[bool, str]]) -> bool:
    """The last filter that matches decides: https://docs.aws.amazon.com/cli/latest/reference/s3/#use-of-exclude-and-include-filters"""
    return next((kind for kind, pattern in reversed(filters) if fnmatch.fnmatch(name, pattern)), True)


if __name__ == "__main__":
    main(sys.argv[1:])
