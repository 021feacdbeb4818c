"""Where this checkout is, and the Python of the node's environment in it. Standard library only."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NODE_PYTHON = ROOT / ".venv-node" / "bin" / "python"
