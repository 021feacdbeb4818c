"""Hooks of MkDocs: pages from outside docs/, links to files of the repository, and no request to anywhere.

A link in a page is written as GitHub takes it, relative to the file. In the site it leads to another page or,
where the site does not have the file, becomes its path in the repository.
"""

import logging
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[2]
PAGES = {"infra/README.md": "reference/infrastructure.md"}
"""Files of the repository that are pages of the site."""

LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s:]+)(?P<anchor>#[^)\s]*)?\)")
RESOURCE = re.compile(r"""<(?:script|img|iframe|source|link)\b[^>]*?\b(?:src|href)="?(?:https?:)?//[^>]*>""")
log = logging.getLogger("mkdocs.hooks.orchard")


def on_files(files: Any, config: Any) -> Any:
    for path, page in PAGES.items():
        files.append(File.generated(config, page, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    source = page.file.src_uri
    written_at = next((path for path, uri in PAGES.items() if uri == source), f"docs/{source}")

    def resolve(link: re.Match[str]) -> str:
        return resolve_link(link, written_at, source)

    return LINK.sub(resolve, markdown)


def resolve_link(link: re.Match[str], written_at: str, source: str) -> str:
    """Return the link as MkDocs takes it: that checks pages and anchors; other files are checked here."""
    text, anchor = link["text"], link["anchor"] or ""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(written_at), link["target"]))
    page = PAGES.get(target) or (target.removeprefix("docs/") if target.startswith("docs/") else None)
    if page is not None:
        return f"[{text}]({posixpath.relpath(page, posixpath.dirname(source) or '.')}{anchor})"
    if not (ROOT / target).exists():
        log.warning("%s links to %s, which is not in the repository", written_at, target)
    return text if target in text else f"{text} (`{target}`)"


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """A page that would fetch something from elsewhere fails the build."""
    for resource in RESOURCE.findall(output):
        log.warning("%s fetches %s", page.file.src_uri, resource)
    return output
