"""Botocore's description of EMR: the authority on its API."""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.session
from botocore.model import ServiceModel

Parameters = dict[str, Any]


@cache
def load_service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("emr")
