"""The headers that every answer has: what a browser may do with it. Pure, but for passing them on.

A label, a path or the message of a damaged image can be anything: the templates escape them, and a page that
somebody got a script into still would not run it, nor be framed by another site.
"""

from typing import Any

from starlette.datastructures import MutableHeaders

PAGE = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'"
)
"""Of the pages: nothing but what the app itself serves."""

FRAMING = f"{PAGE}; frame-src 'self'"
"""Of a page around a report: what it frames is of the app, and in a sandbox."""

FILE = "default-src 'none'; sandbox; frame-ancestors 'self'"
"""Of what is data: should a browser show it, then as a document of no site."""

REPORT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "img-src data:; frame-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""Of a report, and of the document that frames it. It brings its scripts, and a policy of its own that names
them by hash. In the sandbox it is a document of no site: a script in it has neither the cookie of its reader
nor a way to send anything. A document may always leave for another address, but one in a frame only for what
``frame-src`` of the outer one allows, which is nothing: what a node wrote in place of a report stays here."""

ALWAYS = {
    "content-security-policy": PAGE,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "private, no-store",
    "cross-origin-resource-policy": "same-origin",
}


class Guarded:
    """An ASGI app whose answers, errors too, have the headers of ALWAYS where they have no other."""

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
