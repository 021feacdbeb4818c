"""`orchard purge`: what it is asked, and that it lists first."""

import json
from pathlib import Path
from typing import Any

import pytest

from erasure.request import Request
from orchard_cli.app import main
from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import Place, folder_place


@pytest.mark.parametrize(
    "given", [{}, {"run": "r", "image": "a"}, {"run": "r", "everything": True}, {"run": ""}]
)
def test_what_to_purge_is_said_exactly_once(given: dict[str, Any]) -> None:
    with pytest.raises(OrchardError, match="exactly one of --run="):
        Request.build({"ORCHARD_LAKE": "s3://lake"}, **given)


def test_a_lake_may_be_given_as_a_folder_and_is_needed() -> None:
    request = Request.build({}, lake="~/lake", images="s3://images", run="r")
    assert request.places.lake == f"file://{Path.home()}/lake"
    assert request.places.images == "s3://images"
    with pytest.raises(OrchardError, match=r"^ORCHARD_LAKE is not set"):
        Request.build({}, run="r")


def test_a_dry_run_says_how_much_and_changes_nothing(nights: Place) -> None:
    before = nights.contents()
    for given in ({"RUN": "r2"}, {"IMAGE": "e"}, {"ALL": "1"}):
        assert "deleted: " in nights.plan(**given).describe()
    assert nights.contents() == before


def test_the_command_lists_first_and_deletes_once_confirmed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder_place(tmp_path)
    lake = place.lake.uri
    place.write_run("r1", {"a": "r1"})
    place.write_run("r2", {"a": "r2"})

    def purge(*given: str) -> tuple[int, str]:
        code = main(["purge", "--lake", str(tmp_path / "lake"), *given])
        said = capsys.readouterr()
        return code, said.out + said.err

    code, text = purge("--run=r1")
    assert (code, "add --confirm=1 " in text) == (0, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    code, text = purge("--all", "--confirm=1")
    assert (code, f"add --confirm={lake} " in text) == (2, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    assert purge("--run=r1", "--confirm=1")[0] == 0
    assert place.storage.folders(place.lake.runs) == ["r2"]
    code, text = purge("--run=r2", "--confirm=1")
    assert (code, "orchard: r2 is the newest run" in text) == (2, True)
    assert purge("--all", f"--confirm={lake}")[0] == 0
    assert place.contents() == {}


def test_the_plan_is_there_for_programs_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = folder_place(tmp_path)
    place.write_run("r1", {"a": "r1"})
    assert main(["purge", "--lake", str(tmp_path / "lake"), "--all", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["confirmation"], plan["is_done"]) == (place.lake.uri, False)
    assert {one["uri"] for one in plan["deleted"]} == {
        f"{place.lake.uri}/{name}" for name in place.contents()
    }
