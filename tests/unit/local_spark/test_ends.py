"""How a process is described that ended without printing an error."""

import pytest

from local_spark.node import describe_exit


@pytest.mark.parametrize(
    ("code", "description"),
    [
        (-9, "its driver was killed by SIGKILL, probably because the machine ran out of memory"),
        (137, "its driver was killed by SIGKILL, probably because the machine ran out of memory"),
        (143, "its driver was killed by SIGTERM"),
        (3, "its driver exited with code 3 and printed no error"),
    ],
)
def test_the_description_names_the_signal_that_killed_a_driver(code: int, description: str) -> None:
    assert describe_exit(code, "its driver") == description
