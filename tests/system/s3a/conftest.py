"""A local EMR whose node reads s3:// through S3A, as EMR's nodes do."""

from collections.abc import Iterator

import pytest

from local_emr.authentication import Endpoint
from local_emr.execution.spark_conf import render_properties
from local_emr.launcher import running_emr
from tests.support.checkout import NODE_PYTHON
from tests.support.local_emr_client import point_to
from tests.support.s3a.node import node_defaults
from tests.support.s3a.server import S3Server


@pytest.fixture(scope="session")
def emr(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The endpoint of the local EMR, which AWS's clients find."""
    folder = tmp_path_factory.mktemp("emr")
    defaults = folder / "spark-defaults.conf"
    defaults.write_text(render_properties(node_defaults(s3_server.url)))
    options = ["--spark-defaults", str(defaults), "--cores", "2", "--stop-grace-seconds", "2"]
    with (
        running_emr(NODE_PYTHON, folder / "work", log_file=folder / "log", options=options) as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_to(endpoint, patch)
        yield endpoint
