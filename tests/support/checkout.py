"""Paths of this checkout and of the Python in its node environment. Standard library only."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE_PYTHON = ROOT / ".venv-node" / "bin" / "python"
