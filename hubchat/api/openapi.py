"""The HTTP interface described by its own route tables, as OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0)."""

import inspect
import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from hubchat import __version__
from hubchat.api.endpoint import Endpoint
from hubchat.api.forms import Nothing, Query

REF: Final = "#/components/schemas/{model}"
PLACE: Final = re.compile(r"{(\w+)}")


class Fault(TypedDict, total=False):
    """`code` says what to do, `reason` is a stable name to translate, `fields` say per field what is wrong."""

    code: str
    reason: str
    message: str
    facts: dict[str, Any]
    fields: dict[str, str]
    retry_after_ms: int


class Error(TypedDict):
    """What every refusal looks like."""

    error: Fault


def describe(prefix: str, table: Iterable[Endpoint]) -> dict[str, Any]:
    """The whole description; every form and answer once, under components."""
    rows = list(table)
    schemas, components = _schemas(rows)
    paths: dict[str, dict[str, Any]] = {}
    for row in rows:
        paths.setdefault(prefix + row.path, {})[row.method.lower()] = _operation(row, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "hubchat", "version": __version__, "description": "Everything that the web client does."},
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "Made under /me/tokens, on the page Account, or by `hubchat token HANDLE`.",
                },
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-hubchat",
                    "description": "Given by POST /session; on plain http it is named hubchat_PORT.",
                },
            },
        },
    }


def _schemas(rows: list[Endpoint]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    """Form or answer → its schema, and the components that those refer to."""
    adapters: dict[Any, TypeAdapter[Any]] = {Error: TypeAdapter(Error)}
    for row in rows:
        for shape in filter(None, (row.takes, row.gives)):
            adapters.setdefault(shape, TypeAdapter(shape))
    made, shared = TypeAdapter.json_schemas(
        [(shape, "validation", adapter) for shape, adapter in adapters.items()],
        ref_template=REF,
    )
    return {shape: schema for (shape, _), schema in made.items()}, shared.get("$defs", {})


def _operation(row: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    noun = row.handler.__module__.rpartition(".")[2]
    name = row.handler.__name__.strip("_")
    operation: dict[str, Any] = {
        "operationId": f"{noun}.{name}",
        "tags": [noun],
        "summary": f"{name.replace('_', ' ').capitalize()}",
        "description": inspect.getdoc(row.handler) or "",
        "parameters": _parameters(row, schemas),
        "responses": {
            str(row.status if row.gives else 204): _answer(row, schemas),
            "default": {"description": "A refusal", "content": _json(schemas[Error])},
        },
    }
    if row.method != "GET" and row.takes is not Nothing:
        required = bool(schemas[row.takes].get("required")) or "$ref" in schemas[row.takes]
        operation["requestBody"] = {"required": required, "content": _json(schemas[row.takes])}
    if row.scope is not None:
        asked: list[dict[str, list[str]]] = [{"session": []}]
        if not row.confirmed:
            asked.append({"token": [row.scope]})
        operation["security"] = [*asked, *([{}] if row.guests else [])]
    return operation


def _parameters(row: Endpoint, schemas: dict[Any, dict[str, Any]]) -> list[dict[str, Any]]:
    found = [{"name": name, "in": "path", "required": True, "schema": _place(name)} for name in PLACE.findall(row.path)]
    if issubclass(row.takes, Query):
        form = row.takes.model_json_schema(ref_template=REF)
        found += [
            {"name": name, "in": "query", "required": name in form.get("required", ()), "schema": schema}
            for name, schema in form["properties"].items()
        ]
    return found


def _place(name: str) -> dict[str, str]:
    return {"type": "integer" if name in ("id", "seq") else "string"}


def _answer(row: Endpoint, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    return {"description": "Done", "content": _json(schemas[row.gives])} if row.gives else {"description": "Done"}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}
