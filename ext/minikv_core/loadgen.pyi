from collections.abc import Callable, Sequence
from typing import Any

from minikv_core.histogram import Histogram

class LoadGenerator:
    def __init__(
        self,
        port: int,
        templates: Sequence[tuple[bytes, bytes | None, float]],
        *,
        connections: int = 1,
        pipeline: int = 1,
        slow: int = 0,
        drip_ms: int = 10,
        churn: bool = False,
        paced_ms: int = 0,
        keys: int = 1,
    ) -> None: ...
    @property
    def latencies(self) -> Histogram: ...
    def connect(self, seconds: float, go_on: Callable[[], bool] | None = None) -> dict[str, Any]: ...
    def run(self, seconds: float, *, requests: int = 0, drain: float = 2.0) -> dict[str, Any]: ...
    def close(self) -> None: ...
