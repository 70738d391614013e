"""A process that inserts keys at a set pace: python -m benchmarks.insert PORT KEYS KEYS_PER_SECOND.

It prints one line, the seconds that it took. It yields its core to whoever else wants it, so that a client
measuring on the same core is not measured waiting for it.
"""

import os
import sys
import time

from minikv.compare import wire

KEYS_PER_REQUEST_BATCH = 100
VALUE = b"x" * 32


def insert(port: int, keys: int, keys_per_second: float) -> float:
    """Insert new keys in pipelines, each sent once its time has come and the one before is answered."""
    request = wire.template(b"SET", b"new:%012d", VALUE)
    with wire.connect(port) as connection:
        start = time.perf_counter()
        sent = 0
        for requests, count in wire.batches(request, range(keys), KEYS_PER_REQUEST_BATCH):
            wait = start + sent / keys_per_second - time.perf_counter()
            if wait > 0:
                time.sleep(wait)
            wire.exchange(connection, requests, count)
            sent += count
        return time.perf_counter() - start


if __name__ == "__main__":
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    port, keys, keys_per_second = map(int, sys.argv[1:])
    print(insert(port, keys, keys_per_second))
