"""Everything that runs have written goes; images, code and models stay."""

from pathlib import Path

import pytest

from orchard_jobs.errors import OrchardError
from tests.support.airflow.erasable_lake import Place, folder_place


def test_everything_goes_but_images_code_and_models(nights: Place) -> None:
    for name in ("models/m/card.json", "code/run.py", "notes.txt"):
        nights.storage.write(f"{nights.lake.uri}/{name}", b"x")
    plan = nights.purge(ALL="1")
    assert plan.confirmation == nights.lake.uri
    assert f"What stays: {nights.images}" in plan.describe()
    images = {"images/a"} if nights.images.startswith(nights.lake.uri) else set()
    assert set(nights.contents()) == {"models/m/card.json", "code/run.py", "notes.txt"} | images
    assert nights.held_below("runs") == nights.held_below("ledger") == []


@pytest.mark.parametrize("setting", ["ORCHARD_IMAGES", "ORCHARD_MODEL", "ORCHARD_CODE"])
def test_nothing_goes_where_what_stays_is_among_it(tmp_path: Path, setting: str) -> None:
    place = folder_place(tmp_path)
    inside = f"{place.lake.uri}/runs/models"
    with pytest.raises(OrchardError, match=f"^{inside} is in .*/runs: images, code and models stay"):
        place.plan(ALL="1", **{setting: inside})
