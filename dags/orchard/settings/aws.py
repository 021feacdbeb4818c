"""How AWS is reached: a part of the settings that whoever only reads the lake needs, too."""

import re
from dataclasses import dataclass
from typing import Any

from orchard.settings.env import require, setting


@dataclass(frozen=True)
class Access:
    """How AWS is reached."""

    aws_conn_id: str | None = setting(
        "Airflow connection for AWS", None, shown="none: credentials as boto3 finds them"
    )
    region: str | None = setting(
        "AWS region of the cluster and the buckets", None, shown="none: the one that boto3 finds"
    )

    def __post_init__(self) -> None:
        is_region = self.region is None or re.fullmatch(r"[a-z]+(-[a-z]+)+-\d", self.region) is not None
        require(is_region, "region", self.region, "a region's name, as eu-west-3")

    @property
    def hook(self) -> dict[str, Any]:
        """Arguments of the amazon provider's operators and hooks."""
        return {"aws_conn_id": self.aws_conn_id, "region_name": self.region}
