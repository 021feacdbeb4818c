"""The caller's identity and region."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError

from orchard.settings.aws import Access
from orchard_jobs.errors import first_line
from readiness.finding import Finding, failed, passed
from readiness.refusals import code_of


@dataclass(frozen=True)
class Identity:
    """The caller's identity, according to AWS.

    Args:
        partition: ``aws``, ``aws-cn`` or ``aws-us-gov``.
    """

    account: str
    arn: str
    partition: str


def identify(sts: Any) -> Identity:
    """Ask AWS for the caller's identity."""
    found = sts.get_caller_identity()
    return Identity(found["Account"], found["Arn"], found["Arn"].split(":")[1])


def check_credentials(identity: Identity, access: Access) -> Finding:
    """Report the caller's identity, which may differ from Airflow's."""
    other = f"; Airflow itself uses the connection {access.aws_conn_id}" if access.aws_conn_id else ""
    return passed("credentials", f"{identity.arn} in account {identity.account}{other}")


def check_region(region: str | None, access: Access) -> Finding:
    """Check that a region is set; without one, no other check runs."""
    if region is None:
        return failed("region", "none is set", "set ORCHARD_REGION, for example to eu-west-3")
    if access.region is None:
        return passed("region", f"{region}, boto3's default: ORCHARD_REGION is not set")
    return passed("region", region)


def explain_unknown_caller(error: Exception, region: str) -> Finding:
    """Explain why AWS does not accept the caller. This is a failure, because no other check can run."""
    if isinstance(error, NoCredentialsError):
        return failed("credentials", "boto3 finds none", "sign in: `aws sso login`, or export AWS_PROFILE")
    if isinstance(error, ClientError):
        remedy = f"sign in again; if that does not help, check that {region} is enabled in the account"
        return failed("credentials", f"AWS rejects them: {code_of(error)}", remedy)
    remedy = f"check that {region} is a region, and that this machine can reach AWS"
    return failed("credentials", first_line(error), remedy)
