"""infra/managed_airflow.yaml on moto, beside the stack of the lake whose exports it imports."""

from dataclasses import dataclass

import pytest

from tests.unit.infra.iam import Statement
from tests.unit.infra.stack import INSTEAD, MANAGED_AIRFLOW, Stack, account, deploy

OWN_NETWORK = {"VpcId": "vpc-0a1b2c3d", "SubnetId": "subnet-0a1b2c3d", "SecondSubnetId": "subnet-1a2b3c4d"}
"""Parameters of a network that was there."""


@dataclass(frozen=True)
class Stacks:
    """The two stacks: of the lake, and of managed Airflow."""

    lake: Stack
    airflow: Stack

    @property
    def own_statements(self) -> list[Statement]:
        """What managed Airflow itself may, beside Orchard's DAGs."""
        found: list[Statement] = self.airflow.properties("EnvironmentPolicy")["PolicyDocument"]["Statement"]
        return found


def deploy_both(**parameters: str) -> Stacks:
    """Deploy both, inside ``account``. The parameters are of managed Airflow's."""
    return Stacks(deploy(**INSTEAD), deploy(MANAGED_AIRFLOW, **parameters))


@pytest.fixture(scope="session")
def stacks() -> Stacks:
    with account():
        return deploy_both()
