"""Polling: ask until it is so, or the time is over."""

from collections.abc import Callable

from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed


def until(so: Callable[[], bool], seconds: float, every: float = 0.05) -> bool:
    """Ask every `every` seconds; return False if the answer was not true within `seconds`. What `so` raises passes."""
    asking = Retrying(
        retry=retry_if_result(lambda answer: not answer),
        stop=stop_after_delay(seconds),
        wait=wait_fixed(every),
        retry_error_callback=lambda state: False,
    )
    return bool(asking(so))
