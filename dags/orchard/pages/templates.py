"""Render pages from templates, with autoescaping."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from orchard.pages.guard import PAGE
from orchard.report.formats import moment, plural
from orchard.report.run_figures import show


def render(
    request: Request, name: str, status: int = 200, *, policy: str = PAGE, **shown: Any
) -> HTMLResponse:
    """Return a page. In templates ``base`` is the app's URL path, and ``root`` Airflow's."""
    base = request.scope.get("root_path", "")
    page = _environment().get_template(name).render(base=base, root=base.rpartition("/")[0], **shown)
    return HTMLResponse(page, status, {"content-security-policy": policy})


@cache
def style() -> str:
    """Return the report's style sheet, with the pages' additions."""
    return _asset("orchard.report", "style.css") + _asset("orchard.pages", "page.css")


@cache
def script() -> str:
    return _asset("orchard.pages", "page.js")


@cache
def icon() -> str:
    return _asset("orchard.pages", "icon.svg")


def _asset(package: str, name: str) -> str:
    return files(package).joinpath("assets", name).read_text("utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchard.pages", "assets"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"moment": _moment, "plural": plural, "figure": _figure}
    return environment


def _figure(run: Mapping[str, Any], figure: Any) -> str:
    return show(figure, run)


def _moment(run: Mapping[str, Any]) -> str:
    return show(lambda content: moment(content["published_at"]), run)
