import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from minikv_core.tablehandle import TableHandle

ROOM = 63 * 12  # entries that a segment could hold
SEGMENT = 4096


def filled(n, reserve=1 << 30):
    table = TableHandle(reserve)
    for i in range(n):
        assert table.insert(b"%d" % i)
    return table


def full_scan(table, between=lambda: None):
    seen, cursor, steps = Counter(), 0, 0
    while True:
        cursor, keys = table.scan(cursor)
        seen.update(keys)
        steps += 1
        if cursor == 0:
            return seen, steps
        between()


def segments(table):
    found, position = [], 0
    while row := table.next_segment(position):
        position = row[0]
        found.append(row)
    return found


def test_empty():
    table = TableHandle()
    empty = table.info()
    assert len(table) == 0 and b"x" not in table and not table.remove(b"x")
    assert table.random() is None and table.scan(0) == (0, []) and table.next_segment(0) is None
    table.clear()
    assert table.info() == empty and empty["bytes"] == 0
    assert table.insert(b"") and b"" in table and table.random() == b"" and table.keys() == [b""]
    assert table.remove(b"") and table.check() == 0
    assert {**table.info(), "resident": 0} == {**empty, "resident": 0}


@pytest.mark.parametrize("size", [3, 50, 1000, 20_000, 100_000])
def test_like_a_dict(size):
    rnd = random.Random(size)
    table, model = TableHandle(), {}
    empty = table.info()["used"]
    for phase in range(8):
        grow = (0.8, 0.2, 0.5, 0.1, 0.9, 0.5, 0.3, 0.05)[phase]
        for _ in range(60_000):
            key = b"k%d" % int(rnd.random() * size)
            if key in model:
                assert key in table
                if rnd.random() >= grow:
                    assert table.remove(key)
                    del model[key]
                elif rnd.random() < 0.1:
                    model[key] = rnd.choice((-1, 5, 1 << 40, 1 << 50))
                    assert table.expire(key, model[key])
            else:
                assert key not in table
                if rnd.random() < grow:
                    model[key] = rnd.choice((-1, -1, 1 << 41))
                    assert table.insert(key, model[key])
        assert table.check() == 0
        info = table.info()
        assert info["count"] == len(table) == len(model)
        assert info["expiring"] == sum(expiry >= 0 for expiry in model.values())
        assert sorted(table.keys()) == sorted(model)
        assert info["bytes"] >= info["segments"] * SEGMENT
    for key in list(model):
        assert table.remove(key)
    assert table.check() == 0 and table.info()["used"] == empty and table.info()["bytes"] == 0


def test_bytes_are_what_the_arena_handed_out():
    table = TableHandle()
    empty = table.info()["used"]
    for i in range(50_000):
        table.insert(b"%08d" % i)
    info = table.info()
    assert info["used"] - empty == info["bytes"] + 50_000 * 16
    for i in range(49_000):
        table.remove(b"%08d" % i)
    info = table.info()
    assert info["used"] - empty == info["bytes"] + 1000 * 16


def test_expiries():
    table = TableHandle()
    for i in range(5000):
        table.insert(b"%d" % i, 1000 + i if i % 3 == 0 else -1)
    assert table.info()["expiring"] == 1667 == sum(row[4] for row in segments(table))
    assert min(row[5] for row in segments(table)) == 1000
    assert table.expire(b"0", -1) and table.expire(b"1", 77)
    assert table.info()["expiring"] == 1667
    assert min(row[5] for row in segments(table)) == 77
    assert table.check() == 0
    for i in range(5000):
        table.expire(b"%d" % i, -1)
    assert {row[5] for row in segments(table)} == {(1 << 63) - 1}
    assert table.info()["expiring"] == 0 and table.check() == 0


NOW = 1_700_000_000_000
YEAR = 365 * 86_400_000


@pytest.mark.parametrize("seed", range(6))
def test_what_is_due_is_found_and_nothing_else(seed):
    rnd = random.Random(seed)
    table, model, now = TableHandle(), {}, NOW
    reach = (30, 3000, 100_000, 86_400_000, YEAR, 200 * YEAR)[seed]
    for step in range(300):
        for _ in range(rnd.choice((0, 1, 300))):  # grows by splits, with entries that make room for others
            key = b"k%d" % rnd.randrange(20_000)
            expiry = rnd.choice((-1, now + rnd.randrange(reach), now + rnd.randrange(reach), now - 5, 0))
            assert table.expire(key, expiry) if key in model else table.insert(key, expiry)
            model[key] = expiry
        now += rnd.choice((0, 1, 10, 50, 50, 9000 if reach > 30_000 else 1, reach // 20))
        due = {key for key, expiry in model.items() if 0 <= expiry < now}
        assert sorted(table.take_due(now)) == sorted(due)
        for key in due:
            del model[key]
        if step % 10 == 0:
            assert table.check() == 0
    assert table.take_due(now) == [] and table.check() == 0
    assert sorted(table.take_due(1 << 46)) == sorted(key for key, expiry in model.items() if expiry >= 0)
    assert sorted(table.keys()) == sorted(key for key, expiry in model.items() if expiry < 0)


def test_a_clock_set_back_delays_nothing():
    table = TableHandle()
    assert table.insert(b"far", NOW + YEAR) and table.insert(b"near", NOW + 10)
    assert table.take_due(NOW + 11) == [b"near"]
    assert table.insert(b"past", NOW - YEAR + 5) and table.take_due(NOW - YEAR) == []
    assert table.check() == 0 and table.take_due(NOW - YEAR + 6) == [b"past"]
    assert table.take_due(NOW + YEAR) == [] and table.take_due(NOW + YEAR + 1) == [b"far"]


def test_segments_cover_the_hash_range_once():
    table = filled(30_000)
    rows = segments(table)
    assert len(rows) == table.info()["segments"] == len(set(rows))
    assert sum(row[3] for row in rows) == 30_000
    assert math.fsum(2.0 ** -row[2] for row in rows) == 1
    assert table.next_segment(1 << 32) is None and table.next_segment((1 << 64) - 1) is None
    assert table.next_segment(12_345_678)[0] > 12_345_678


def test_segments_while_splitting():
    table = filled(20_000)
    position, seen = 0, 0
    while row := table.next_segment(position):
        assert row[0] > position
        position = row[0]
        seen += 1
        for i in range(500):
            table.insert(b"new %d %d" % (seen, i))
    assert position == 1 << 32


def test_utilisation_is_steady():
    table, figures = TableHandle(), []
    for i in range(1, 2_000_001):
        table.insert(b"%d" % i)
        if i >= 1_000_000 and i % 100_000 == 0:
            figures.append(table.info()["bytes"] / i)
    assert sum(figures) / len(figures) < 8.3
    assert max(figures) < min(figures) * 1.03


def test_shrinks_and_gives_memory_back():
    table = TableHandle()
    for i in range(300_000):
        table.insert(b"key:%012d" % i, -1, 8 + i % 3 * 8)
    full = table.info()
    for i in range(300_000):
        if i % 10:
            table.remove(b"key:%012d" % i)
    info = table.info()
    assert info["bytes"] < full["bytes"] / 3
    assert table.check() == 0
    assert table.compact() <= 30_000
    assert table.check() == 0
    table.trim(1 << 40)
    info = table.info()
    assert info["resident"] < 1.1 * info["used"] + (1 << 19)
    assert all(b"key:%012d" % i in table for i in range(0, 300_000, 10))
    table.clear()
    assert table.check() == 0 and table.info()["bytes"] == 0


def test_directory_shrinks():
    table = filled(200_000)
    depth = table.info()["depth"]
    for i in range(199_000):
        table.remove(b"%d" % i)
    assert table.info()["depth"] <= depth - 5 and table.check() == 0


@pytest.mark.parametrize("n", [0, 1, 2, 50, 700, 5000, 60_000])
def test_scan_visits_each_key_once_if_nothing_changes(n):
    table = filled(n)
    seen, steps = full_scan(table)
    assert seen == Counter(b"%d" % i for i in range(n))
    assert steps == max(1, table.info()["segments"] * 63)


@pytest.mark.parametrize("start", [0, 300, 3000, 40_000])
def test_scan_misses_nothing_while_the_table_changes(start):
    rnd = random.Random(start)
    table = TableHandle()
    stable = {b"stable %d" % i for i in range(start)}
    for key in stable:
        table.insert(key)
    volatile, serial = [], 0
    for grow in (True, False, None):  # grow, shrink, and both in turns

        def change(grow=grow):
            nonlocal serial
            more = rnd.random() < 0.5 if grow is None else grow
            for _ in range(rnd.randrange(60)):
                if more:
                    serial += 1
                    if len(volatile) < 200_000:
                        volatile.append(b"volatile %d" % serial)
                        table.insert(volatile[-1])
                elif volatile:
                    i = rnd.randrange(len(volatile))
                    volatile[i], volatile[-1] = volatile[-1], volatile[i]
                    assert table.remove(volatile.pop())

        seen, _ = full_scan(table, change)
        assert not stable - seen.keys()
        assert seen.total() < 3 * (len(table) + serial) + 100
    assert table.check() == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 200), st.integers(-3000, 3000)), max_size=12), st.integers(0, 3000))
def test_scan_guarantee(changes, start):
    """Each change: so many steps of the scan, then so many keys inserted (or removed, if negative)."""
    table = TableHandle(256 << 20)
    stable = {b"stable %d" % i for i in range(start)}
    for key in stable:
        table.insert(key)
    seen, volatile, serial, cursor, done = set(), [], 0, 0, False
    for steps, count in [*changes, (1 << 30, 0)]:
        while steps and not done:
            cursor, keys = table.scan(cursor)
            seen.update(keys)
            steps -= 1
            done = cursor == 0
        for _ in range(count):
            serial += 1
            volatile.append(b"volatile %d" % serial)
            table.insert(volatile[-1])
        for _ in range(min(-count, len(volatile))):
            table.remove(volatile.pop())
    assert stable <= seen
    assert table.check() == 0


@pytest.mark.parametrize("n", [0, 1, 700, 30_000])
def test_any_cursor_is_safe(n):
    rnd = random.Random(n)
    table = filled(n)
    limit = 63 * (table.info()["segments"] + 1)
    for _ in range(2000):
        cursor = rnd.getrandbits(64)
        following, keys = table.scan(cursor)
        assert all(key in table for key in keys)
        assert following == 0 or following & 0xFFFFFFFF >= cursor & 0xFFFFFFFF or following >> 32 & 63
    for _ in range(3):
        cursor, steps = rnd.getrandbits(64), 0
        while cursor and steps <= limit:
            cursor, _ = table.scan(cursor)
            steps += 1
        assert cursor == 0 or n == 0


def test_scan_of_a_cleared_table_ends():
    table = filled(5000)
    cursor, _ = table.scan(0)
    table.clear()
    assert table.scan(cursor) == (0, [])


def chi_squared(table, draws):
    expected = draws / len(table)
    counts = Counter(table.random() for _ in range(draws))
    return sum((counts[key] - expected) ** 2 for key in sorted(table.keys())) / expected


@pytest.mark.parametrize("n", [2, 10, 300, 2500])
def test_random_is_uniform(n):
    table = filled(n)
    freedom = n - 1
    assert chi_squared(table, n * 100) < freedom + 6 * math.sqrt(2 * freedom) + 20
    for i in range(n // 2, n):  # and in a thinner table
        table.remove(b"%d" % i)
    freedom = max(n // 2 - 1, 1)
    assert chi_squared(table, n * 50) < freedom + 6 * math.sqrt(2 * freedom) + 20


def test_random_in_a_thin_table():
    table = filled(20_000)
    for i in range(19_999):
        table.remove(b"%d" % i)
    assert {table.random() for _ in range(100)} == {b"19999"}


HOSTILE = {
    "sequential": lambda i, seed: b"%d" % i,
    "shared beginning": lambda i, seed: b"user:profile:settings:notifications:%d" % i,
    "shared ending": lambda i, seed: b"%d:user:profile:settings:notifications" % i,
    "eight bytes": lambda i, seed: i.to_bytes(8, "little"),
    "high bits": lambda i, seed: (i << 46).to_bytes(8, "little"),
    "one bit each": lambda i, seed: (1 << i % 4096 | 1 << i // 4096 << 5).to_bytes(513, "little"),
    "zeros": lambda i, seed: bytes(i % 400) + b"%d" % (i // 400),
    "collide under another seed": lambda i, seed: i.to_bytes(8, "little") + seed[3].to_bytes(8, "little"),
}


@pytest.mark.parametrize("family", HOSTILE)
def test_hostile_keys_without_the_seed(family):
    other = TableHandle(2 << 20).info()["seed"]
    keys = list(dict.fromkeys(HOSTILE[family](i, other) for i in range(60_000)))
    table = TableHandle()
    for key in keys:
        assert table.insert(key)
    info = table.info()
    assert info["bytes"] / len(keys) < 9
    assert info["depth"] <= math.log2(len(keys) / ROOM) + 3
    assert max(row[3] for row in segments(table)) <= ROOM
    assert all(key in table for key in keys) and table.check() == 0


@pytest.mark.parametrize("others", [0, 5000, 100_000])
def test_equal_hashes_are_refused_at_some_point(others):
    table = filled(others)
    before = table.info()
    secret = before["seed"][3].to_bytes(8, "little")
    equal = [i.to_bytes(8, "little") + secret for i in range(5000)]
    assert len({table.hash(key) for key in equal}) == 1
    taken = [key for key in equal if table.insert(key)]
    assert 12 <= len(taken) <= 16 * 12
    info = table.info()
    assert info["bytes"] < before["bytes"] * 2.2 + (1 << 17)
    assert info["count"] == others + len(taken) and table.check() == 0
    assert all(key in table for key in taken) and equal[-1] not in table
    assert full_scan(table)[0] == Counter(table.keys())
    refused = sum(not table.insert(b"more %d" % i) for i in range(2000))
    assert refused <= 10, "others are refused only in the few thousandths of the range around that hash"
    for key in taken:
        assert table.remove(key)
    assert table.check() == 0


@pytest.mark.parametrize("reserve", [1 << 20, 3 << 20, 16 << 20])
def test_full_arena(reserve):
    table, n = TableHandle(reserve), 0
    while table.insert(b"%d" % n):
        n += 1
    assert n > reserve / 50 - 10_000
    for _ in range(100):
        assert not table.insert(b"%d" % n)
    assert table.check() == 0 and len(table) == n
    for i in range(n):
        assert table.remove(b"%d" % i)
    assert table.check() == 0 and table.info()["bytes"] == 0
    assert table.insert(b"again")


@pytest.mark.parametrize("size", [800, 2000, 10_000, 300_000])
def test_elements_in_the_order_of_their_hashes(size):
    """As they come when one table is copied to another: whole segments go to one half."""
    for _ in range(max(3, 30_000 // size)):
        table = filled(size)
        first = table.info()
        keys = table.keys()
        table.clear()
        for i, key in enumerate(keys):
            assert table.insert(key, 1 << 41 if i % 3 == 0 else -1)
        assert table.check() == 0
        assert sorted(table.keys()) == sorted(keys)
        again = table.info()
        assert again["expiring"] == (size + 2) // 3
        assert again["segments"] <= first["segments"] * 2
