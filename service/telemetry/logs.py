"""How is one log line written? As an event name and fields, on standard error, without addresses and credentials."""

import logging
import sys
from collections.abc import MutableMapping
from typing import TextIO

import structlog
from structlog.stdlib import ProcessorFormatter
from structlog.typing import Processor

from service.telemetry.redaction import mask_value


def configure_logs(log_format: str, log_level: str, stream: TextIO | None = None) -> None:
    """Send what we and the libraries log to standard error, as `text` for people or `json` for machines.

    May be called again: the last call counts.
    """
    level = logging.getLevelNamesMapping()[log_level.upper()]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(_formatter(log_format))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("alembic").setLevel(max(level, logging.WARNING))  # it tells each time how it looks at the tables
    structlog.configure(
        processors=[*_described(), ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _described() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(log_format: str) -> ProcessorFormatter:
    as_json = log_format == "json"
    renderer: Processor = (
        structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    return ProcessorFormatter(
        foreign_pre_chain=_described(),
        processors=[
            ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            _redact,  # last: a traceback quotes values too
            renderer,
        ],
    )


def _redact(_logger: object, _name: str, fields: MutableMapping[str, object]) -> MutableMapping[str, object]:
    return {name: mask_value(name, value) for name, value in fields.items()}
