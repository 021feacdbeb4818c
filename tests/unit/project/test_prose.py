"""`make lint` finds phrases that read as translated English, wherever a line breaks."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.prose.check_phrases import PHRASES, find_phrases, load_phrases
from tests.support.checkout import ROOT

EXAMPLE = {"what is no image": "an invalid image"}


@pytest.mark.parametrize(
    "text",
    [
        "one\nWhat is no image becomes a row.",
        "one\nand what is\nno image, too",
        "one\n# what\n# is no image",
        'one\nf"what is no " f"image"',
        'one\n"what is "\n    f"no image"',
    ],
)
def test_a_phrase_is_found_in_prose_comments_and_strings(text: str) -> None:
    assert list(find_phrases(text, EXAMPLE)) == [(2, "what is no image")]


@pytest.mark.parametrize(
    "text", ["An invalid image becomes a row.", "what is no images", "somewhat is no image"]
)
def test_other_words_are_left_alone(text: str) -> None:
    assert list(find_phrases(text, EXAMPLE)) == []


def test_every_phrase_has_a_replacement_and_stands_in_order() -> None:
    lines = [line for line in PHRASES.read_text().splitlines() if not line.startswith("#")]
    assert lines == sorted(set(lines), key=str.lower)
    phrases = load_phrases()
    assert len(phrases) == len(lines)
    for phrase, replacement in phrases.items():
        assert replacement
        assert list(find_phrases(replacement, phrases)) == [], (
            f"{phrase}: its replacement is on the list, too"
        )


def test_the_command_names_file_line_and_replacement_and_fails(tmp_path: Path) -> None:
    phrase, replacement = next(iter(load_phrases().items()))
    bad, good = tmp_path / "bad.md", tmp_path / "good.md"
    bad.write_text(f"# Title\n\nThen {phrase}.\n")
    good.write_text("# Title\n")
    command = [sys.executable, "tests/prose/check_phrases.py"]
    failed = subprocess.run([*command, good, bad], cwd=ROOT, capture_output=True, text=True, check=False)
    assert failed.stdout == f"{bad}:3: '{phrase}': write '{replacement}'\n"
    assert failed.returncode == 1
    passed = subprocess.run([*command, good], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (passed.returncode, passed.stdout) == (0, "")
