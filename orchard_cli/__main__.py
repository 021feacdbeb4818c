"""``python -m cli``: the command ``orchard``."""

from cli.app import main

main()
