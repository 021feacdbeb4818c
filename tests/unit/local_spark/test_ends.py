"""What is said of a process that ended without a word."""

import pytest

from local_spark.node import describe_end


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-9, "its driver was ended by SIGKILL, as Linux does where memory runs out"),
        (137, "its driver was ended by SIGKILL, as Linux does where memory runs out"),
        (143, "its driver was ended by SIGTERM"),
        (3, "its driver ended with exit code 3, and said nothing"),
    ],
)
def test_a_driver_that_a_signal_ended_is_told_by_the_signal(code: int, said: str) -> None:
    assert describe_end(code, "its driver") == said
