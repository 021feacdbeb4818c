"""How to reach AWS: separate from the other settings, because code that only reads the lake needs it too."""

import re
from dataclasses import dataclass
from typing import Any

from orchard.settings.env import require, setting


@dataclass(frozen=True)
class Access:
    """How to reach AWS."""

    aws_conn_id: str | None = setting(
        "Airflow connection for AWS", None, shown="none: boto3's default credentials"
    )
    region: str | None = setting(
        "AWS region of the cluster and the buckets", None, shown="none: boto3's default"
    )

    def __post_init__(self) -> None:
        is_region = self.region is None or re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", self.region) is not None
        require(is_region, "region", self.region, "a region name, such as eu-west-3")

    @property
    def hook(self) -> dict[str, Any]:
        """Arguments of the amazon provider's operators and hooks."""
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region}
