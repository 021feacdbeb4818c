"""What an error of boto3 means for a check: a permission that the asker lacks is no fault of the account."""

from collections.abc import Callable, Collection
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from orchard_jobs.errors import OrchardError, first_line
from readiness.finding import Finding, failed, skipped

T = TypeVar("T")

UNREACHED = (BotoCoreError, ResponseParserError)
"""Errors of boto3 that are no answer of AWS; the second where something between answers, as a proxy may."""

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
"""Every operation that a check calls, and the permission that it takes: IAM's names are often others.
``sts:GetCallerIdentity`` takes none."""

DENIED = frozenset(
    {
        "403",  # S3's answer to HEAD has no more
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

PASSING = frozenset(
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
"""Codes of what is over a moment later."""


def code_of(error: ClientError) -> str:
    code: str = error.response.get("Error", {}).get("Code", "")
    return code


def ask(call: Callable[[], T], missing: Collection[str]) -> T | None:
    """Return what AWS answers; None where its answer is one of these codes: there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if code_of(error) not in missing:
            raise
        return None


def is_denied(error: Exception) -> bool:
    """Whether AWS refused to answer because whoever asks lacks a permission."""
    return isinstance(error, ClientError) and code_of(error) in DENIED


def permission_for(error: ClientError) -> str:
    """Return the permission that a refused call takes."""
    operation: str = error.operation_name
    return PERMISSIONS.get(operation, operation)


def explain(check: str, error: Exception) -> Finding:
    """Return the finding of a check that ended with an error which it does not expect."""
    if isinstance(error, ClientError):
        return _explain_answer(check, error)
    if isinstance(error, UNREACHED):
        return skipped(check, f"AWS was not reached: {first_line(error)}", "run it where AWS is reachable")
    if isinstance(error, OrchardError):
        return failed(check, error.message, error.hint)
    what = f"the check itself broke: {type(error).__name__}: {first_line(error)}"
    return failed(check, what, "report this; what the other checks say holds")


def _explain_answer(check: str, error: ClientError) -> Finding:
    code = code_of(error)
    if code in DENIED:
        return skip_denied(check, permission_for(error))
    if code in INVALID_CREDENTIALS:
        return skipped(check, f"AWS does not take these credentials: {code}", "sign in again")
    if code in PASSING or code.startswith("5"):
        return skipped(check, f"AWS did not answer: {code}", "run it again")
    return failed(check, first_line(error), "correct what AWS names")


def skip_denied(check: str, permission: str) -> Finding:
    """Return the finding of a check that these credentials may not make."""
    return skipped(
        check, f"these credentials lack {permission}", f"allow {permission}, or ask with other credentials"
    )
