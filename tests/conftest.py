"""What holds for every test: a log line that cannot be written fails the test that wrote it."""

import logging
from collections.abc import Iterator

import pytest


class _Strict(logging.Handler):
    """Formats each record as the service would, and keeps those that cannot be."""

    def __init__(self) -> None:
        super().__init__()
        self.malformed: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        try:
            record.getMessage()
        except (TypeError, ValueError, KeyError) as error:
            place = f"{record.pathname}:{record.lineno}"
            self.malformed.append(f"{place}: {record.msg!r} with {record.args!r}: {error}")


@pytest.fixture(autouse=True)
def every_log_line_is_well_formed() -> Iterator[None]:
    handler = _Strict()
    logger = logging.getLogger()
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(level)
    logger.removeHandler(handler)
    assert not handler.malformed, "log lines that cannot be written:\n" + "\n".join(
        handler.malformed
    )
