"""Polling of a condition."""

from collections.abc import Callable

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed


def until(so: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Wait for a condition; return whether it came true.

    It is asked every `every` seconds, for `seconds` at most; what it raises passes.
    """
    asking = Retrying(
        retry=retry_if_result(lambda answer: not answer),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(every),
        retry_error_callback=lambda state: False,
    )
    return bool(asking(so))
