"""Write what the code says into the reference pages."""

import sys

from docs.generate.blocks import REFERENCE, fill_in


def main() -> int:
    for page in sorted(REFERENCE.glob("*.md")):
        before = page.read_text(encoding="utf-8")
        after = fill_in(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(page.relative_to(REFERENCE.parents[1]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
