"""What S3 deletes at once, and what it does not."""

from typing import Any

import pytest
from moto import mock_aws

from erasure.holdings import S3Holdings
from orchard_jobs.errors import OrchardError


def test_more_versions_than_s3_deletes_at_once_all_go(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("erasure.holdings.MOST_AT_ONCE", 5)
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        client.put_bucket_versioning(Bucket="orchard", VersioningConfiguration={"Status": "Enabled"})
        for number in range(12):
            client.put_object(Bucket="orchard", Key=f"run/{number % 7}", Body=b"x")
        client.put_object(Bucket="orchard", Key="run-2/x", Body=b"x")
        holdings = S3Holdings(client)
        holdings.erase(holdings.below("s3://orchard/run"))
        found = client.list_object_versions(Bucket="orchard")
    assert [item["Key"] for item in found["Versions"]] == ["run-2/x"]
    assert "DeleteMarkers" not in found


class DenyingClient:
    """S3 answers 200 to a deletion of which it has denied a part; moto denies nothing."""

    def delete_objects(self, **_: Any) -> Any:
        return {"Errors": [{"Key": "run/x", "Code": "AccessDenied", "Message": "m"}]}


def test_a_deletion_that_s3_denies_in_its_answer_is_one_clear_error(client: Any) -> None:
    with mock_aws():
        client.create_bucket(Bucket="orchard")
        client.put_object(Bucket="orchard", Key="run/x", Body=b"x")
        held = S3Holdings(client).below("s3://orchard/run")
    with pytest.raises(
        OrchardError, match=r"has not deleted 1 of 1 versions, such as s3://orchard/run/x: AccessDenied"
    ):
        S3Holdings(DenyingClient()).erase(held)
