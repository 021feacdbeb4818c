"""Authentication: requests must be signed with the server's access key (AWS Signature Version 4).

A client of the server can run programs on this machine, and every user and every web page can reach a port on
loopback. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
"""

from __future__ import annotations

import configparser
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.message import Message
from pathlib import Path
from typing import Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_emr.errors import (
    InvalidSignatureError,
    MissingAuthenticationTokenError,
    UnrecognizedClientError,
)

CREDENTIALS = "credentials"
"""Name of the file with the access key, in the working folder."""

SERVICE = "elasticmapreduce"
MOST_SKEW = timedelta(minutes=5)
"""Allowed clock skew, the same as AWS's. An older request counts as replayed."""

_PROFILE = "default"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<id>[^/,\s]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/"
    r"(?P<service>[a-z0-9]+)/aws4_request, ?"
    r"SignedHeaders=(?P<headers>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_ALWAYS_SIGNED = {"host", "x-amz-date"}
_SIGNED_WHERE_GIVEN = {"x-amz-target", "x-amz-content-sha256", "content-type"}


@dataclass(frozen=True)
class AccessKey:
    """An access key in IAM's format, valid for this server only."""

    id: str
    secret: str = field(repr=False)

    @classmethod
    def generate(cls) -> Self:
        return cls(f"LOCAL{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a file that `write` has written."""
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(file.read_text(encoding="utf-8"))
        profile = parser[_PROFILE]
        return cls(profile["aws_access_key_id"], profile["aws_secret_access_key"])

    def write(self, file: Path) -> None:
        """Write a file for AWS_SHARED_CREDENTIALS_FILE that only this user can ever read."""
        lines = f"aws_access_key_id = {self.id}", f"aws_secret_access_key = {self.secret}"
        file.unlink(missing_ok=True)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write("\n".join([f"[{_PROFILE}]", *lines, ""]))

    def sign(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, region: str = "us-east-1"
    ) -> dict[str, str]:
        """Return the headers, with the signature, for a request that boto3 does not send."""
        request = AWSRequest(method, url, dict(headers), body)
        SigV4Auth(Credentials(self.id, self.secret), SERVICE, region).add_auth(request)
        return dict(request.headers.items())


@dataclass(frozen=True)
class Endpoint:
    """The URL of a local EMR, and its access key."""

    url: str
    access_key: AccessKey

    def variables(self) -> dict[str, str]:
        """Return the environment variables that point AWS clients to it."""
        return {
            "AWS_ENDPOINT_URL_EMR": self.url,
            "AWS_ACCESS_KEY_ID": self.access_key.id,
            "AWS_SECRET_ACCESS_KEY": self.access_key.secret,
        }

    def client_settings(self) -> dict[str, str]:
        """Return the arguments for `boto3.client("emr", …)`."""
        return {
            "endpoint_url": self.url,
            "region_name": "us-east-1",
            "aws_access_key_id": self.access_key.id,
            "aws_secret_access_key": self.access_key.secret,
        }


def authenticate(key: AccessKey, method: str, path: str, headers: Message, body: bytes) -> None:
    """Refuse a request whose signature does not match the key and the request.

    Raises:
        MissingAuthenticationTokenError: if there is no signature.
        UnrecognizedClientError: if it was signed with another key.
        InvalidSignatureError: if the signature does not match the contents, or has expired.
    """
    given = {name.lower(): value for name, value in headers.items()}
    if "authorization" not in given:
        raise MissingAuthenticationTokenError(
            "the request is not signed: sign it with the access key in the server's credentials file"
        )
    if len(given) != len(headers):
        raise InvalidSignatureError("a header occurs twice")
    found = _AUTHORIZATION.fullmatch(given["authorization"])
    if found is None:
        raise InvalidSignatureError("the Authorization header is not AWS Signature Version 4")
    if not hmac.compare_digest(found["id"].encode(), key.id.encode()):
        raise UnrecognizedClientError(
            "unknown access key: each start of the server creates a new one in its credentials file"
        )
    signed = set(found["headers"].split(";"))
    missing = (_ALWAYS_SIGNED | (_SIGNED_WHERE_GIVEN & given.keys()) | signed) - (signed & given.keys())
    if missing:
        raise InvalidSignatureError(f"the signature does not cover {', '.join(sorted(missing))}")
    _validate_date(given["x-amz-date"], found["day"])
    digest = hashlib.sha256(body).hexdigest()
    if given.get("x-amz-content-sha256", digest) != digest:
        raise InvalidSignatureError("X-Amz-Content-SHA256 does not match the body")
    covered = {name: given[name] for name in signed}
    request = AWSRequest(method, f"http://{given['host']}{path}", covered, body)
    request.context["timestamp"] = given["x-amz-date"]
    expected = _compute(key, found["region"], request)
    if found["service"] != SERVICE or not hmac.compare_digest(expected, found["signature"]):
        raise InvalidSignatureError("the signature does not match the request and this server's access key")


def _compute(key: AccessKey, region: str, request: AWSRequest) -> str:
    signer = SigV4Auth(Credentials(key.id, key.secret), SERVICE, region)
    try:
        canonical = signer.canonical_request(request)
    except ValueError as error:
        raise InvalidSignatureError("Host and path are not a valid URL") from error
    return str(signer.signature(signer.string_to_sign(request, canonical), request))


def _validate_date(timestamp: str, day: str) -> None:
    try:
        signed_at = datetime.strptime(timestamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidSignatureError("X-Amz-Date must be a time like 20260131T235959Z") from error
    if abs(datetime.now(UTC) - signed_at) > MOST_SKEW or not timestamp.startswith(day):
        raise InvalidSignatureError(f"Signature expired: {timestamp} is more than 5 minutes from now")
