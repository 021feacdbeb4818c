"""What a run will cost and has cost: the sums, what is unknown, and the ceiling."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from local_airflow.summary import describe_cost
from orchard.emr.actual_cost import bill, cluster_cost, find_region, format_bill, spot_prices
from orchard.emr.cost_estimate import Estimate, Work, estimate, format_estimate, validate_cost
from orchard.emr.prices import hourly_price
from orchard.settings.aws import Access
from orchard.settings.settings import Settings
from orchard_jobs.errors import OrchardError

LEAST = {"ORCHARD_LAKE": "s3://lake", "ORCHARD_MODEL": "s3://lake/models/m"}
M5 = dict.fromkeys(("ORCHARD_PRIMARY_TYPES", "ORCHARD_CORE_TYPES", "ORCHARD_TASK_TYPES"), "m5.xlarge")


def estimated(
    images: int = 22_688, nodes: int = 2, region: str | None = "eu-west-3", **environ: str
) -> Estimate:
    settings = Settings.from_env({**LEAST, **environ})
    return estimate(Work(images, images, nodes), settings, region)


def test_an_hour_is_ec2s_and_emrs() -> None:
    assert hourly_price("m5.xlarge", "eu-west-3") == pytest.approx(0.224 * 1.25)
    assert hourly_price("r7i.4xlarge", "us-east-1") == pytest.approx(4 * 0.2646 * 1.25)
    assert hourly_price("m5.large", "us-east-1") == pytest.approx(0.096 * 1.25)


def test_emrs_fee_stays_on_spot_and_spot_never_costs_more_than_on_demand() -> None:
    assert hourly_price("m5.xlarge", "eu-west-3", spot=0.1) == pytest.approx(0.1 + 0.056)
    assert hourly_price("m5.xlarge", "eu-west-3", spot=9.0) == pytest.approx(0.224 * 1.25)


@pytest.mark.parametrize(
    ("name", "region"), [("m5.xlarge", "ap-south-1"), ("m4.xlarge", "eu-west-3"), ("m5.xlarge", None)]
)
def test_what_is_not_in_the_table_is_unknown(name: str, region: str | None) -> None:
    assert hourly_price(name, region) is None


def test_an_estimate_is_boot_jobs_images_and_rows_on_all_nodes() -> None:
    found = estimated(images=24_000, nodes=2, **M5)
    assert found.cores == 8
    assert found.seconds == 480 + 180 + 24_000 // (50 * 8) + 24_000 // (1500 * 8)
    assert found.dollars == pytest.approx(3 * 0.28 * found.seconds / 3600, abs=1e-4)
    assert found.per_1000_images == pytest.approx(found.dollars / 24, abs=1e-6)


def test_of_several_types_the_dearest_counts() -> None:
    assert estimated(**M5 | {"ORCHARD_CORE_TYPES": "m5a.xlarge,m5.xlarge"}).dollars == estimated(**M5).dollars


def test_spot_nodes_are_estimated_on_demand_which_is_what_they_become_without_spot() -> None:
    with_spot, without = estimated(nodes=1, ORCHARD_TASK_NODES="1", **M5), estimated(nodes=2, **M5)
    assert (with_spot.seconds, with_spot.dollars) == (without.seconds, without.dollars)


def test_a_run_above_the_ceiling_is_refused_with_the_estimate_the_ceiling_and_the_remedy() -> None:
    found = estimated(**M5)
    validate_cost(found, None)
    validate_cost(found, found.dollars)
    with pytest.raises(OrchardError) as error:
        validate_cost(found, 0.1)
    assert str(error.value) == (
        f"{format_estimate(found)}: "
        "the ceiling is 0.1 $ (no cluster was created). Trigger the run with a higher "
        "cost_ceiling or fewer core_nodes, or raise ORCHARD_COST_CEILING."
    )
    assert format_estimate(found).startswith(
        "22688 new images: about 12 minutes on 1 primary, 2 core and 0 task nodes, at most 0.17 $"
    )


def test_with_a_ceiling_what_is_unknown_is_refused_and_without_one_it_is_said() -> None:
    found = estimated(region="ap-south-1", **M5)
    assert (found.dollars, found.per_1000_images, found.unknown) == (None, None, ("m5.xlarge",))
    assert format_estimate(found).endswith("cost unknown: no price for m5.xlarge in ap-south-1")
    validate_cost(found, None)
    with pytest.raises(
        OrchardError, match=r"the cost of m5\.xlarge in ap-south-1 is unknown: .*without a ceiling"
    ):
        validate_cost(found, 100)


def instance(name: str, seconds: float, market: str = "ON_DEMAND") -> dict[str, Any]:
    began = datetime(2026, 11, 22, 2, 0, tzinfo=UTC)
    timeline = {"CreationDateTime": began, "EndDateTime": began + timedelta(seconds=seconds)}
    return {"InstanceType": name, "Market": market, "Status": {"Timeline": timeline}}


def test_a_bill_is_the_seconds_of_each_instance_but_at_least_a_minute() -> None:
    instances = [instance("m5.xlarge", 1800), instance("m5.xlarge", 1800, "SPOT"), instance("m5a.xlarge", 10)]
    found = bill(instances, 2000, "eu-west-3", {"m5.xlarge": 0.1})
    expected = (0.28 + 0.156) / 2 + 0.202 * 1.25 / 60
    assert found["dollars"] == pytest.approx(expected, abs=1e-4)
    assert found["per_1000_images"] == pytest.approx(expected / 2, abs=1e-4)
    assert (found["instances"], found["instance_seconds"], found["unknown"]) == (3, 3660, [])
    assert format_bill(found).startswith("3 instances for 3660 s in all: 0.22")


def test_a_bill_with_an_unknown_type_is_unknown_as_a_whole() -> None:
    found = bill([instance("m5.xlarge", 60), instance("x9.large", 60)], 10, "eu-west-3", {})
    assert (found["dollars"], found["unknown"]) == (None, ["x9.large"])
    assert "cost unknown: no price for x9.large in eu-west-3" in format_bill(found)


def test_an_instance_that_still_runs_is_billed_until_now() -> None:
    running = instance("m5.xlarge", 0)
    running["Status"]["Timeline"] = {"CreationDateTime": datetime.now(UTC) - timedelta(hours=1)}
    assert bill([running], 1, "eu-west-3", {})["dollars"] == pytest.approx(0.28, abs=1e-3)


def test_what_emr_does_not_tell_is_unknown(
    tags: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_EMR", "http://127.0.0.1:9")
    assert cluster_cost(tags, 10, settings) is None


def test_spot_prices_come_from_ec2_and_where_they_do_not_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    access = Access(region="eu-west-3")
    with mock_aws():
        history = boto3.client("ec2", "eu-west-3").describe_spot_price_history(InstanceTypes=["m5.xlarge"])
        dearest = max(float(item["SpotPrice"]) for item in history["SpotPriceHistory"])
        assert spot_prices(["m5.xlarge"], access) == {"m5.xlarge": dearest}
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "http://127.0.0.1:9")
    assert spot_prices(["m5.xlarge"], access) == {}
    assert spot_prices([], access) == {}


def test_the_demo_says_that_it_costs_nothing_and_what_aws_would_have() -> None:
    found = bill([instance("m5.xlarge", 3600)], 2000, "us-east-1", {})
    assert describe_cost(found, estimated(**M5).to_json()) == (
        "nothing locally; the same time on AWS: 0.2400 $ (0.1200 $ per 1,000 images) at us-east-1's list "
        "prices of 2026-04; 0.17 $ with the start of a real cluster"
    )
    assert describe_cost(None, None) == "nothing locally; unknown on AWS"


def test_without_a_region_anywhere_the_cost_is_unknown_and_nothing_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    assert find_region(Settings.from_env(LEAST).access) is None
