"""``python -m orchard_cli``: the command ``orchard``."""

import sys

from orchard_cli.app import main

if __name__ == "__main__":
    sys.exit(main())
