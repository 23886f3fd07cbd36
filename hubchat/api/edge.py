"""The outermost middleware: foreign Hosts are turned away, every answer gets its headers, every request its id."""

import logging
from time import monotonic
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hubchat import logs
from hubchat.api.answers import refusal, wrong_method
from hubchat.api.asking import home_of
from hubchat.api.endpoint import METHODS
from hubchat.errors import HubError
from hubchat.faults import as_fault, new_request_id
from hubchat.headers import REQUEST_ID
from hubchat.traces import Traces

CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
HTTPS_ONLY: Final = "max-age=31536000"  # a year; said over https alone, where browsers heed it

ANY_HOST: Final = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by whatever watches the machine, at whatever name it has there; they tell nothing about anybody."""

log: Final = logging.getLogger(__name__)


class Edge:
    """Wraps the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = monotonic()
        here = home_of(request := Request(scope), request.state.node)
        name = scope.get(REQUEST_ID) or new_request_id()
        logs.name(request=name)
        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                _add_headers(headers, scope["path"], here.secure)
                headers["X-Request-ID"] = name
                _tell(scope, message["status"], began, name, request.state.node.traces)
            await send(message)

        try:
            if Headers(scope=scope).get("host", "").lower() not in here.hosts and scope["path"] not in ANY_HOST:
                raise HubError("host_foreign")
            await self._app(scope, receive, send_guarded)
        except ClientDisconnect:
            return  # nobody is left to answer
        except Exception as error:
            answer = refusal(error if isinstance(error, HubError) else as_fault(log, error))
            if started:
                raise  # half an answer is out: only cutting the connection tells the truth
            await answer(scope, receive, send_guarded)


async def tell_error(request: Request, error: Exception) -> Response:
    """For handlers that raise HubError."""
    assert isinstance(error, HubError)
    if error.code == "internal":  # logged where many were served, so without this request's id
        log.info("told: %s", error.message)
    return refusal(error)


async def tell_no_route(request: Request, error: Exception) -> Response:
    """For what the router raises: no such path, or not by this method."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return refusal(HubError("path_unknown"))
    return wrong_method((error.headers or {}).get("Allow", "").split(", "))


def _tell(scope: Scope, status: int, began: float, name: str, traces: Traces | None) -> None:
    """Says how a request went, by the template that its path fits: paths hold slugs."""
    is_logged = log.isEnabledFor(logging.DEBUG)
    if not is_logged and traces is None:
        return
    method = scope["method"] if scope["method"] in METHODS else "_OTHER"  # as OpenTelemetry has it
    route: str = getattr(scope.get("route"), "path", "")
    if is_logged:
        ms = round(1_000 * (monotonic() - began), 1)
        log.debug("answered", extra={"method": method, "route": route, "status": status, "ms": ms})
    if traces is not None:
        traces.answered(method, route, status, began, name)


def _add_headers(headers: MutableHeaders, path: str, secure: bool) -> None:
    for name, value in HEADERS.items():
        headers[name] = value
    if secure:
        headers["Strict-Transport-Security"] = HTTPS_ONLY
    if path == "/api" or path.startswith("/api/"):
        headers["Cache-Control"] = "no-store"
