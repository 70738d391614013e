from collections.abc import Callable
from typing import Any

def decode(
    data: bytes | bytearray | memoryview, error: Callable[[str], object] = ..., offset: int = 0
) -> tuple[Any, int]: ...
