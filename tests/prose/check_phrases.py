"""Report phrases that read as translated English: ``check_phrases.py FILE…``; the list is phrases.txt.

codespell knows misspelt words and proselint the bad habits of native writers; neither takes phrases of ours.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

PHRASES = Path(__file__).with_name("phrases.txt")
BREAK = r"(?:\s|\n\s*#|[\"']\s*f?[\"'])+"
"""What may separate the words of a phrase: spaces and line breaks, also in comments and adjacent strings."""


def load_phrases(path: Path = PHRASES) -> dict[str, str]:
    """Return the replacement of each phrase, by the phrase in lower case."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pairs = (line.split(" -> ", maxsplit=1) for line in lines if line)
    return {phrase.lower(): replacement for phrase, replacement in pairs}


def find_phrases(text: str, phrases: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield the line number of each phrase in ``text``, and the phrase."""
    known = list(phrases)
    groups = "|".join(f"({BREAK.join(map(re.escape, phrase.split()))})" for phrase in known)
    for match in re.finditer(rf"\b(?:{groups})\b", text, re.IGNORECASE):
        yield text.count("\n", 0, match.start()) + 1, known[(match.lastindex or 1) - 1]


def main(names: list[str]) -> int:
    """Print every phrase found; return 1 if there are any."""
    phrases = load_phrases()
    found = [
        f"{name}:{line}: '{phrase}': write '{phrases[phrase]}'"
        for name in names
        if Path(name) != PHRASES
        for line, phrase in find_phrases(Path(name).read_text(encoding="utf-8"), phrases)
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
