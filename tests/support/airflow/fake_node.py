"""A local EMR whose nodes have ``fake_spark_submit.py`` instead of Spark. Fixtures."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_emr.authentication import Endpoint
from local_emr.launcher import running_emr
from tests.support.checkout import ROOT
from tests.support.local_emr_client import point_to


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a node's environment with the fake spark-submit."""
    folder = tmp_path_factory.mktemp("node") / "bin"
    folder.mkdir()
    (folder / "python").symlink_to(sys.executable)
    script = folder / "spark-submit"
    source = (Path(__file__).with_name("fake_spark_submit.py")).read_text()
    jobs = f"import sys; sys.path.insert(0, {str(ROOT / 'spark_jobs')!r})\n"
    script.write_text(f"#!{sys.executable}\n" + jobs + source)
    script.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def emr(node: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """The endpoint of a local EMR, which AWS clients find through environment variables."""
    folder = tmp_path_factory.mktemp("emr")
    pages = ("--page-size", "2")  # small pages, so that results are not always on the first one
    with (
        running_emr(node / "python", folder / "work", log_file=folder / "log", options=pages) as endpoint,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_to(endpoint, patch)
        yield endpoint
