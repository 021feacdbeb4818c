"""Who asks, and in which region."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, NoCredentialsError

from orchard.settings.aws import Access
from orchard_jobs.errors import first_line
from readiness.finding import Finding, failed, passed
from readiness.refusals import code_of


@dataclass(frozen=True)
class Identity:
    """Whom AWS takes the asker for.

    Args:
        partition: ``aws``, or that of China or of the US government.
    """

    account: str
    arn: str
    partition: str


def identify(sts: Any) -> Identity:
    """Ask AWS who is asking."""
    found = sts.get_caller_identity()
    return Identity(found["Account"], found["Arn"], found["Arn"].split(":")[1])


def check_credentials(identity: Identity, access: Access) -> Finding:
    """Say who asks; Airflow may be another."""
    other = f"; Airflow itself uses the connection {access.aws_conn_id}" if access.aws_conn_id else ""
    return passed("credentials", f"{identity.arn} in account {identity.account}{other}")


def check_region(region: str | None, access: Access) -> Finding:
    """Nothing is asked without a region."""
    if region is None:
        return failed("region", "none is set", "export ORCHARD_REGION=eu-west-3, or another one")
    if access.region is None:
        return passed("region", f"{region}, as boto3 finds it: ORCHARD_REGION is not set")
    return passed("region", region)


def explain_unknown_asker(error: Exception, region: str) -> Finding:
    """Say why AWS does not know who asks. Nothing else can be asked then, so that this is a failure."""
    if isinstance(error, NoCredentialsError):
        return failed("credentials", "boto3 finds none", "sign in: `aws sso login`, or export AWS_PROFILE")
    if isinstance(error, ClientError):
        remedy = f"sign in again; where that does not help, see whether the account has {region} enabled"
        return failed("credentials", f"AWS does not take them: {code_of(error)}", remedy)
    remedy = f"see whether {region} is a region, and whether this machine reaches AWS"
    return failed("credentials", first_line(error), remedy)
