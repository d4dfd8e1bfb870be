"""What the operator reads: lines for people, or JSON; on standard error, and to rotated files."""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path

import msgspec

from newapi.config.schema import LogLevel, LogSpec

FILE_BYTES = 20 * 1024 * 1024
FILES = 10
"""Of at most so many bytes, so many are kept."""


class JsonFormatter(logging.Formatter):
    """A JSON object a line: time (Unix seconds), level, logger, message, and the trace of an exception."""

    def format(self, record: logging.LogRecord) -> str:
        """Return `record` as JSON."""
        told: dict[str, object] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return msgspec.json.encode(told).decode()


def configure(spec: LogSpec, directory: Path, part: str = "") -> None:
    """Set up logging as `[log]` says; a relative `log.directory` is relative to `directory`, the configuration's.

    `part` is which of several processes this is: each has files of its own, since they cannot rotate one another's.

    Raises:
        OSError: The files cannot be written.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if spec.directory:
        where = directory / spec.directory
        where.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = where / (f"newapi-{part}.log" if part else "newapi.log")
        handlers.append(RotatingFileHandler(file, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8"))
    console = logging.Formatter("%(asctime)s %(levelname)s %(message)s")
    for handler in handlers:
        handler.setFormatter(JsonFormatter() if spec.format == "json" else console)
    logging.basicConfig(level=spec.level.upper(), handlers=handlers, force=True)


def tell_from(level: LogLevel) -> None:
    """Tell what is `level` or worse from now on, until logging is configured again."""
    logging.getLogger().setLevel(level.upper())
