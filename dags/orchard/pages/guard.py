"""The security headers of every response.

Labels, paths and error messages are untrusted. The templates escape them; should a script get into a page
anyway, these headers keep the browser from running it, and other sites from framing the page.
"""

from typing import Any

from starlette.datastructures import MutableHeaders

PAGE = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
"""For the pages: only what the app itself serves."""

FRAMING = f"{PAGE}; frame-src 'self'"
"""For a page around a report: it may frame the app's own documents, in a sandbox."""

FILE = "default-src 'none'; sandbox; frame-ancestors 'self'"
"""For data files: a browser that shows one gives it an opaque origin."""

REPORT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; frame-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""For a report, and the document that frames it. The report includes its scripts, and its own policy allows
them by hash. In the sandbox it has an opaque origin: scripts can neither read the reader's cookies nor send
anything. A document can always navigate elsewhere, but a framed one only to what the outer ``frame-src``
allows, which is nothing: so a forged report cannot leak anything either."""

ALWAYS = {
    "content-security-policy": PAGE,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
    "cross-origin-resource-policy": "same-origin",
}


class Guarded:
    """An ASGI app that adds the headers of ALWAYS to every response, including errors, unless already set."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in ALWAYS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, guarded)
