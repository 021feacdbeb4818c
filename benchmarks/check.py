"""``make bench-check``: compares new ratios with the committed results.json."""

import json
import sys
from pathlib import Path

from benchmarks.figures import MOVED, find_moved


def main(tokens: list[str]) -> int:
    """Compare the second file with the first; return 1 if a ratio got worse, 2 if they cannot be compared."""
    before, now = (json.loads(Path(token).read_bytes()) for token in tokens)
    for name in ("images", "many"):
        if before[name] != now[name]:
            print(
                f"orchard: {name} is {now[name]}, but {before[name]} in {tokens[0]}: measure the same number"
            )
            return 2
    worse, better = find_moved(now["figures"], before["figures"])
    for line in better:
        print(f"better  {line}")
    for line in worse:
        print(f"WORSE   {line}")
    compared = len(set(now["figures"]) & set(before["figures"]))
    print(
        f"{compared} figures compared; {len(worse)} are worse, {len(better)} better by more than {MOVED:.0%}"
    )
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
