"""Explains boto3's errors: a permission that the caller lacks is not a fault of the account."""

from collections.abc import Callable, Collection
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from orchard_jobs.errors import OrchardError, first_line
from readiness.finding import Finding, failed, skipped

T = TypeVar("T")

UNREACHED = (BotoCoreError, ResponseParserError)
"""Errors of boto3 without an answer from AWS; the second occurs when a proxy answers instead."""

PERMISSIONS = {
    # account, permissions
    "SimulatePrincipalPolicy": "iam:SimulatePrincipalPolicy",
    # release
    "DescribeReleaseLabel": "elasticmapreduce:DescribeReleaseLabel",
    "DescribeSecurityConfiguration": "elasticmapreduce:DescribeSecurityConfiguration",
    "ListReleaseLabels": "elasticmapreduce:ListReleaseLabels",
    "ListSupportedInstanceTypes": "elasticmapreduce:ListSupportedInstanceTypes",
    # quotas
    "GetAWSDefaultServiceQuota": "servicequotas:GetAWSDefaultServiceQuota",
    "GetServiceQuota": "servicequotas:GetServiceQuota",
    # network
    "DescribeInstanceTypeOfferings": "ec2:DescribeInstanceTypeOfferings",
    "DescribeRouteTables": "ec2:DescribeRouteTables",
    "DescribeSecurityGroups": "ec2:DescribeSecurityGroups",
    "DescribeSubnets": "ec2:DescribeSubnets",
    "DescribeVpcEndpoints": "ec2:DescribeVpcEndpoints",
    "DescribeVpcs": "ec2:DescribeVpcs",
    # roles
    "GetInstanceProfile": "iam:GetInstanceProfile",
    "GetRole": "iam:GetRole",
    "ListAttachedRolePolicies": "iam:ListAttachedRolePolicies",
    # storage
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObject": "s3:GetObject",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "HeadBucket": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    # signals
    "GetDatabase": "glue:GetDatabase",
    "GetEnvironment": "airflow:GetEnvironment",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "GetTopicAttributes": "sns:GetTopicAttributes",
}
"""The permission for every operation that a check calls: IAM's names often differ.
``sts:GetCallerIdentity`` needs none."""

DENIED = frozenset(
    {
        "403",  # S3's answer to HEAD has no other code
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "AuthorizationErrorException",
        "Forbidden",
        "NotAuthorized",
        "UnauthorizedOperation",
    }
)

INVALID_CREDENTIALS = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)

TRANSIENT = frozenset(
    {
        "InternalError",
        "InternalFailure",
        "InternalServerException",
        "RequestLimitExceeded",
        "ServiceException",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Codes of transient errors."""


def code_of(error: ClientError) -> str:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def ask(call: Callable[[], T], missing: Collection[str]) -> T | None:
    """Return AWS's answer; None if it is one of the codes ``missing``: the resource does not exist."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) not in missing:
            raise
        return None


def is_denied(error: Exception) -> bool:
    """Whether AWS denied a call because the caller lacks a permission."""
    return isinstance(error, ClientError) and code_of(error) in DENIED


def permission_for(error: ClientError) -> str:
    """Return the permission that a denied call needs."""
    operation: str = error.operation_name
    return PERMISSIONS.get(operation, operation)


def explain(check: str, error: Exception) -> Finding:
    """Return the finding of a check that raised an unexpected error."""
    if isinstance(error, ClientError):
        return _explain_answer(check, error)
    if isinstance(error, UNREACHED):
        return skipped(check, f"cannot reach AWS: {first_line(error)}", "run it where AWS is reachable")
    if isinstance(error, OrchardError):
        return failed(check, error.message, error.hint)
    what = f"the check crashed: {type(error).__name__}: {first_line(error)}"
    return failed(check, what, "please report this; the other checks are still valid")


def _explain_answer(check: str, error: ClientError) -> Finding:
    code = code_of(error)
    if code in DENIED:
        return skip_denied(check, permission_for(error))
    if code in INVALID_CREDENTIALS:
        return skipped(check, f"AWS rejects these credentials: {code}", "sign in again")
    if code in TRANSIENT or code.startswith("5"):
        return skipped(check, f"AWS did not answer: {code}", "run it again")
    return failed(check, first_line(error), "fix the problem that AWS names")


def skip_denied(check: str, permission: str) -> Finding:
    """Return the finding of a check for which the credentials lack a permission."""
    return skipped(
        check, f"these credentials lack {permission}", f"allow {permission}, or use other credentials"
    )
