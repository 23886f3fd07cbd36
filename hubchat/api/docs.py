"""The description of the HTTP interface, for programs and, as one plain page without scripts, for people."""

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from hubchat.addresses import Home
from hubchat.api.answers import Json
from hubchat.api.asking import home_of
from hubchat.api.endpoint import Endpoint
from hubchat.api.openapi import describe

STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2326; --muted: #566166; --line: #ddd9d2; --bg: #fbfaf8;
  --primary: #0a6470 }
@media (prefers-color-scheme: dark) {
  :root { --text: #e8eced; --muted: #a3afb4; --line: #2e393e; --bg: #12181b; --primary: #6cc5cf }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--bg); margin: 2rem auto;
  max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.6rem } h2 { font-size: 1.25rem; margin-top: 2.5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
code { font: 14px/1.5 ui-monospace, monospace } .method { color: var(--primary); font-weight: 600 }
p { margin: .25rem 0 } .who, td:last-child { color: var(--muted) } a { color: var(--primary) }
h3, td, p { overflow-wrap: anywhere } pre { white-space: pre-wrap } td:first-child { min-width: 7rem }
table { border-collapse: collapse; margin: .25rem 0 } td { padding: .1rem 1rem .1rem 0; vertical-align: top }
section { border-top: 1px solid var(--line) }
"""
SIGNING_IN: Final = """
<section><h2>Signing in</h2>
<p><b>A program</b> sends a token with every request:</p>
<pre><code>curl -H "Authorization: Bearer $TOKEN" "$HUB/api/v1/me"</code></pre>
<p>A member makes one on the page <a href="/account">Account</a>, or with <code>POST /api/v1/me/tokens</code>; an
operator with <code>hubchat token HANDLE</code>. It is shown once, may do what its scopes say (<code>read</code>,
<code>write</code> and <code>groups</code> unless others were asked for), and ends by itself.</p>
<p><b>A browser</b> has a cookie from <code>POST /api/v1/session</code>, named <code>{cookie}</code>. With it every
method but GET and HEAD needs the hub's own <code>Origin</code>. What wants the password just given works for ten
minutes after signing in or <code>POST /api/v1/session/confirm</code>.</p>
<p>A token or cookie that has ended is answered with 401; only who sends neither is a guest.</p></section>
"""


def routes(prefix: str, table: Sequence[Endpoint]) -> list[Route]:
    """The two addresses; what they give is made when it is first asked for."""
    description = cache(lambda: describe(prefix, table))
    page = cache(lambda here: render(description(), here))

    async def show_description(request: Request) -> Response:
        return Json(description())

    async def show_page(request: Request) -> Response:
        return HTMLResponse(page(home_of(request, request.state.node)))

    return [Route(f"{prefix}/openapi.json", show_description), Route("/api/docs", show_page)]


def render(description: dict[str, Any], here: Home) -> str:
    """The page, of the hub at these addresses."""
    schemas = description["components"]["schemas"]
    nouns: dict[str, list[str]] = {}
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            nouns.setdefault(operation["tags"][0], []).append(_operation(method, path, operation, schemas))
    body = "".join(
        f"<section><h2>{escape(noun.capitalize())}</h2>{''.join(each)}</section>" for noun, each in nouns.items()
    )
    links = '<p><a href="/api/v1/openapi.json">OpenAPI 3.1</a> for programs. Errors: '
    links += "<code>{error: {code, reason, message, facts?, fields?}}</code>.</p>"
    signing_in = SIGNING_IN.format(cookie=escape(here.cookie))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>hubchat: the HTTP interface</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>'
        f"<body><main><h1>The HTTP interface</h1>{links}{signing_in}{body}</main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any], schemas: dict[str, Any]) -> str:
    parts = [f'<h3><code><span class="method">{method.upper()}</span> {escape(path)}</code></h3>']
    if operation["description"]:
        parts.append(f"<p>{escape(operation['description'])}</p>")
    parts.append(f'<p class="who">{escape(_who(operation))}</p>')
    query = {each["name"]: each["schema"] for each in operation["parameters"] if each["in"] == "query"}
    needed = [each["name"] for each in operation["parameters"] if each["required"]]
    parts.append(_table("Query", {"properties": query, "required": needed}, schemas))
    if body := operation.get("requestBody"):
        parts.append(_table("Body", body["content"]["application/json"]["schema"], schemas))
    for status, answer in operation["responses"].items():
        if status != "default" and "content" in answer:
            parts.append(_table(f"{status}", answer["content"]["application/json"]["schema"], schemas))
    return "".join(parts)


def _who(operation: dict[str, Any]) -> str:
    ways = operation.get("security")
    if ways is None:
        return "Anybody."
    scopes = [way["token"][0] for way in ways if "token" in way]
    who = f"Members; tokens with the scope {scopes[0]}." if scopes else "Members, with the password just given."
    return who + (" Guests too." if {} in ways else "")


def _table(title: str, schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    found = _followed(schema, schemas)
    needed = found.get("required", ())
    rows = "".join(
        f"<tr><td><code>{escape(name + ('' if name in needed else '?'))}</code></td>"
        f"<td>{escape(_kind(each, schemas))}</td></tr>"
        for name, each in found.get("properties", {}).items()
    )
    return f"<p>{escape(title)}</p><table>{rows}</table>" if rows else ""


def _followed(schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = schemas[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    return found


def _kind(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """A schema in a few words."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "anyOf" in schema:
        return " | ".join(_kind(each, schemas) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_kind(schema.get('items', {}), schemas)}]"
    return str(schema.get("format") or schema.get("type") or schema.get("const") or "any")
