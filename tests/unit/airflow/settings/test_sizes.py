"""How many nodes a night gets, and how Spark shares one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchard.settings.cluster import DeployMode, Fleet, Spark
from orchard.settings.instance_types import find_type, is_arm
from orchard.settings.sizing import SparkSizes, core_nodes_for, spark_sizes


@pytest.mark.parametrize(
    ("images", "nodes"),
    [
        (1, 1),
        (22_688, 1),
        (50_000, 1),
        (50_001, 2),
        (200_000, 2),
        (500_000, 4),
        (1_000_000, 8),
        (5_000_000, 16),
    ],
)
def test_a_small_night_has_a_small_cluster(images: int, nodes: int) -> None:
    """On xlarge nodes, of four cores."""
    assert core_nodes_for(images, Fleet()) == nodes


def test_larger_nodes_are_fewer_and_task_nodes_count_too() -> None:
    assert core_nodes_for(1_000_000, Fleet(core_types=("m6i.4xlarge",))) == 2
    assert core_nodes_for(1_000_000, Fleet(core_types=("m6i.4xlarge", "m6i.2xlarge"))) == 4
    assert core_nodes_for(1_000_000, Fleet(task_nodes=6)) == 2
    assert core_nodes_for(1, Fleet(task_nodes=6)) == 1


def test_what_is_set_wins_and_the_most_is_never_exceeded() -> None:
    assert core_nodes_for(1, Fleet(core_nodes=7)) == 7
    assert core_nodes_for(5_000_000, Fleet(max_core_nodes=3)) == 3


@given(st.integers(1, 10**8), st.integers(1, 10**8))
def test_more_images_never_get_fewer_nodes(one: int, other: int) -> None:
    few, many = sorted((one, other))
    assert 1 <= core_nodes_for(few, Fleet()) <= core_nodes_for(many, Fleet()) <= Fleet().max_core_nodes


@pytest.mark.parametrize(
    ("types", "sizes"),
    [
        (("m5.xlarge",), SparkSizes("6g", "3g", "6g", 4)),
        (("m6i.xlarge", "m5.xlarge", "m7i.xlarge"), SparkSizes("6g", "3g", "6g", 4)),
        (("c7i.xlarge",), SparkSizes("3g", "1536m", "3g", 4)),
        (("r6i.xlarge",), SparkSizes("12g", "6g", "12g", 4)),
        (("m6i.4xlarge",), SparkSizes("24g", "12g", "24g", 16)),
        (("m6i.2xlarge", "c6i.xlarge"), SparkSizes("3g", "1536m", "3g", 4)),
    ],
)
def test_spark_takes_what_the_smallest_type_has(types: tuple[str, ...], sizes: SparkSizes) -> None:
    assert spark_sizes(Fleet(primary_types=types, core_types=types), Spark()) == sizes


@given(st.sampled_from(["c5", "m5", "m6a", "r7i"]), st.sampled_from(["", "2", "4", "12", "24"]))
def test_an_executor_fits_into_what_yarn_gives_out(family: str, times: str) -> None:
    """Three quarters of the node's memory: 12 of 16 GiB on m5.xlarge."""
    name = f"{family}.{times}xlarge"
    known = find_type(name)
    assert known is not None
    sizes = spark_sizes(Fleet(primary_types=(name,), core_types=(name,)), Spark())
    used = mebibytes(sizes.executor_memory) + mebibytes(sizes.executor_overhead)
    assert used <= known.memory * 1024 * 0.75
    assert mebibytes(sizes.driver_memory) <= known.memory * 1024 / 2


@pytest.mark.parametrize(
    ("types", "sizes"),
    [
        (("m5.xlarge",), SparkSizes("2g", "3g", "5g", 4, "1g")),
        (("m6i.2xlarge", "c6i.xlarge"), SparkSizes("1g", "1536m", "2560m", 4, "512m")),
    ],
)
def test_a_driver_in_a_container_takes_its_memory_from_the_executor_beside_it(
    types: tuple[str, ...], sizes: SparkSizes
) -> None:
    assert spark_sizes(Fleet(core_types=types), Spark(deploy_mode=DeployMode.CLUSTER)) == sizes


@given(st.sampled_from(["c5", "m5", "m6a", "r7i"]), st.sampled_from(["", "2", "4", "12", "24"]))
def test_one_node_holds_driver_and_executor_in_cluster_mode(family: str, times: str) -> None:
    """Else the one core node of a small night would wait for ever for the second of them."""
    name = f"{family}.{times}xlarge"
    known = find_type(name)
    assert known is not None
    sizes = spark_sizes(Fleet(core_types=(name,)), Spark(deploy_mode=DeployMode.CLUSTER))
    heaps = mebibytes(sizes.driver_memory) + mebibytes(sizes.executor_memory)
    used = heaps + mebibytes(sizes.driver_overhead or "0m") + mebibytes(sizes.executor_overhead)
    assert used <= known.memory * 1024 * 0.75


def test_in_cluster_mode_too_each_size_can_be_set() -> None:
    spark = Spark(DeployMode.CLUSTER, "1g", "256m", "2g", "3g", 2)
    unknown = ("p4d.24xlarge",)
    sizes = SparkSizes("1g", "2g", "3g", 2, "256m")
    assert spark_sizes(Fleet(primary_types=unknown, core_types=unknown), spark) == sizes


def mebibytes(size: str) -> int:
    return int(size[:-1]) * (1024 if size.endswith("g") else 1)


def test_task_types_count_only_where_there_are_task_nodes() -> None:
    small = ("c5.xlarge",)
    assert spark_sizes(Fleet(task_types=small), Spark()).executor_memory == "3g"
    assert spark_sizes(Fleet(task_types=small, task_nodes=1), Spark()).executor_memory == "1536m"


def test_each_size_can_be_set() -> None:
    spark = Spark(driver_memory="1g", executor_memory="2g", executor_overhead="3g", executor_cores=2)
    unknown = ("p4d.24xlarge",)
    assert spark_sizes(Fleet(primary_types=unknown, core_types=unknown), spark) == SparkSizes(
        "1g", "2g", "3g", 2
    )
    assert spark_sizes(Fleet(), Spark(executor_overhead="4g")) == SparkSizes("6g", "3g", "4g", 4)


def test_types_are_told_by_their_names() -> None:
    known = {
        name: find_type(name) for name in ("m5.large", "m6i.xlarge", "c7i-flex.2xlarge", "r6id.16xlarge")
    }
    told = {name: (one.family, one.cores, one.memory) for name, one in known.items() if one}
    assert told == {
        "m5.large": ("m5", 2, 8),
        "m6i.xlarge": ("m6i", 4, 16),
        "c7i-flex.2xlarge": ("c7i-flex", 8, 16),
        "r6id.16xlarge": ("r6id", 64, 512),
    }
    for name in ("m7g.xlarge", "p4d.24xlarge", "m5.metal", "m5.2large", "m5.999xlarge", "", "xlarge"):
        assert find_type(name) is None
    assert [
        name for name in ("m7g.xlarge", "c6gn.large", "a1.xlarge", "g5.xlarge", "m6i.xlarge") if is_arm(name)
    ] == [
        "m7g.xlarge",
        "c6gn.large",
        "a1.xlarge",
    ]
