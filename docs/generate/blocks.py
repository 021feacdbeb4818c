"""Every generated part of the reference pages, by its name, and how it gets into a page."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from docs.generate.command_line import build_commands, build_exit_codes
from docs.generate.iam import build_permissions
from docs.generate.job_arguments import build_arguments
from docs.generate.lake_files import build_json_files, build_layout, build_parquet_files
from docs.generate.run_json import build_run_json
from docs.generate.settings_table import build_settings
from docs.generate.statuses import build_statuses
from docs.generate.trigger_form import build_parameters

REFERENCE = Path(__file__).resolve().parents[1] / "reference"
BLOCKS: Mapping[str, Callable[[], str]] = {
    "commands": build_commands,
    "exit codes": build_exit_codes,
    "settings": build_settings,
    "trigger form": build_parameters,
    "job arguments": build_arguments,
    "layout": build_layout,
    "parquet files": build_parquet_files,
    "json files": build_json_files,
    "run.json": build_run_json,
    "statuses": build_statuses,
    "permissions": build_permissions,
}
BLOCK = re.compile(r"(?<=<!-- generated: )(?P<name>[\w. ]+) -->\n.*?(?=<!-- end -->)", re.DOTALL)


def fill_in(page: str) -> str:
    """Return the text of a page with all its generated parts as the code has them.

    Raises:
        KeyError: for the name of a part that nothing generates.
    """
    return BLOCK.sub(lambda found: f"{found['name']} -->\n\n{BLOCKS[found['name']]()}\n\n", page)
