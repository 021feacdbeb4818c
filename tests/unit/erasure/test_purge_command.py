"""`make purge`: what it is asked, and that it lists first."""

from pathlib import Path

import pytest

from orchard_jobs.errors import OrchardError
from purge.__main__ import main
from purge.request import Request
from tests.support.airflow.erasable_lake import Place, folder_place


@pytest.mark.parametrize(
    "given", [{}, {"RUN": "r", "IMAGE": "a"}, {"ALL": "yes"}, {"RUN": "r", "ALL": "1"}, {"RUN": ""}]
)
def test_what_to_purge_is_said_exactly_once(given: dict[str, str]) -> None:
    with pytest.raises(OrchardError, match="exactly one of RUN="):
        Request.from_env({"ORCHARD_LAKE": "s3://lake", **given})


def test_a_lake_may_be_given_as_a_folder_and_is_needed() -> None:
    request = Request.from_env({"LAKE": "~/lake", "IMAGES": "s3://images", "RUN": "r"})
    assert request.places.lake == f"file://{Path.home()}/lake"
    assert request.places.images == "s3://images"
    with pytest.raises(OrchardError, match=r"^ORCHARD_LAKE is not set"):
        Request.from_env({"RUN": "r"})


def test_a_dry_run_says_how_much_and_changes_nothing(nights: Place) -> None:
    before = nights.contents()
    for given in ({"RUN": "r2"}, {"IMAGE": "e"}, {"ALL": "1"}):
        assert "deleted: " in nights.plan(**given).describe()
    assert nights.contents() == before


def test_the_command_lists_first_and_deletes_once_confirmed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    place = folder_place(tmp_path)
    lake = place.lake.uri
    place.write_run("r1", {"a": "r1"})
    place.write_run("r2", {"a": "r2"})
    monkeypatch.setenv("LAKE", str(tmp_path / "lake"))

    def purge(**given: str) -> tuple[int, str]:
        with monkeypatch.context() as patch:
            for name, text in given.items():
                patch.setenv(name, text)
            code = main()
        said = capsys.readouterr()
        return code, said.out + said.err

    code, text = purge(RUN="r1")
    assert (code, "add CONFIRM=1" in text) == (0, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    code, text = purge(ALL="1", CONFIRM="1")
    assert (code, f"add CONFIRM={lake}" in text) == (2, True)
    assert place.storage.folders(place.lake.runs) == ["r1", "r2"]
    assert purge(RUN="r1", CONFIRM="1")[0] == 0
    assert place.storage.folders(place.lake.runs) == ["r2"]
    code, text = purge(RUN="r2", CONFIRM="1")
    assert (code, "orchard: r2 is the newest run" in text) == (2, True)
    assert purge(ALL="1", CONFIRM=lake)[0] == 0
    assert place.contents() == {}
