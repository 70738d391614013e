"""A short run of the fuzzer of RESTORE."""

import random

from fuzz_dump import main


def test_damaged_payloads():
    main(3000, random.randrange(1_000_000_000))
