"""Ctrl-C and SIGTERM, kept for a moment at which it does no harm to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collected(*, insist: bool = False) -> Iterator[list[int]]:
    """Collect SIGINT and SIGTERM instead of breaking something in two.

    Args:
        insist: whether a second Ctrl-C breaks it all the same. A scheduler and torchrun may both pass on the same
            SIGTERM, so that is no wish.

    Yields:
        The numbers that came so far.
    """
    got: list[int] = []

    def handle(number: int, frame: object) -> None:
        if insist and got and number == signal.SIGINT:
            raise KeyboardInterrupt
        got.append(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield got
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
