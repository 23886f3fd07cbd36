"""What the hub logs, and how: levels, ids and places, never what members say.

An exception's own words may quote a member's, so of every exception, whoever logs it, only its type and where it
happened are kept (law 8).
"""

import asyncio
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Final, Literal, TextIO

import orjson
import structlog
from structlog.typing import Processor

from hubchat.faults import place

Event = MutableMapping[str, Any]

log: Final = logging.getLogger(__name__)

_ids: ContextVar[Mapping[str, str]] = ContextVar("ids")


def name(**ids: str) -> None:
    """From here on each line of this task, and of tasks that it starts, carries these ids and no others.

    What works for many is started in an empty `Context`, so that its lines do not carry the ids of whoever came first.
    """
    _ids.set(ids)


def set_up(level: str, form: Literal["text", "json"], stream: TextIO | None = None, worker: int | None = None) -> None:
    """Sends what hubchat logs from `level` up to `stream` (standard error), of others only warnings.

    Where several processes write to one stream, each line says which `worker` it is of.
    """
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.stdlib.ExtraAdder(),
                _with_ids,
                *([] if worker is None else [_of_worker(worker)]),
                _without_words,
            ],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(form, stream)],
        )
    )
    logging.basicConfig(handlers=[handler], level="WARNING", force=True)
    logging.getLogger("hubchat").setLevel(level.upper())


def log_loop_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """For `loop.set_exception_handler`: the loop's own would print values."""
    error: BaseException | None = context.get("exception")
    log.error("%s", context["message"], exc_info=error)


def _with_ids(_logger: Any, _name: str, event: Event) -> Event:
    for kind, told in _ids.get({}).items():
        event.setdefault(kind, told)
    return event


def _of_worker(number: int) -> Processor:
    def tell(_logger: Any, _name: str, event: Event) -> Event:
        event.setdefault("worker", number)
        return event

    return tell


def _without_words(_logger: Any, _name: str, event: Event) -> Event:
    told = event.pop("exc_info", None)
    if isinstance(told, tuple) and told[0] is not None:
        event["exception"] = place(told[0], told[2])
    return event


def _renderer(form: Literal["text", "json"], stream: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(
            serializer=lambda event, **_: orjson.dumps(event, default=str).decode()
        )
    return structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)
