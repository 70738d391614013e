"""The output queue: order, accounting, marks, blocks."""

import os
import random
import resource
from pathlib import Path

import pytest
from minikv_core.output import TestOutput as Output

BLOCK = bytes(range(256)) * 80


def test_scratch_alone():
    out = Output()
    out.put(b"abc")
    out.put(b"")
    out.put(b"def")
    assert (out.pending, out.queued, out.held, out.nodes) == (6, 0, 0, 0)
    assert out.vector() == [b"abcdef"]
    out.sent(6)
    assert out.pending == 0
    assert out.vector() == []


def test_a_partial_send_moves_the_rest_to_the_queue():
    out = Output()
    out.put(b"abcdef")
    out.sent(2)
    assert (out.pending, out.queued, out.nodes) == (4, 4, 1)
    out.put(b"gh")
    assert out.vector() == [b"cdef", b"gh"]
    assert out.take() == b"cdefgh"
    assert (out.pending, out.queued, out.held, out.nodes) == (0, 0, 0, 0)


def test_detached_output_takes_bytes():
    out = Output()
    out.put(b"one")
    out.detach()
    out.put(b"")
    out.put(b"two")
    assert out.vector() == [b"onetwo"]
    out.attach()
    out.put(b"three")
    assert out.take() == b"onetwothree"


def test_a_slow_readers_queue_is_dense():
    out = Output()
    for _ in range(2000):
        out.put(b"x" * 100)
        out.detach()
        out.attach()
    assert out.pending == out.queued == 200000
    assert out.held < 200000 + 2 * 16384
    assert out.nodes < 15
    assert out.take() == b"x" * 200000
    assert out.held == 0


def test_more_than_the_scratch_buffer():
    out = Output(scratch=1024)
    data = random.Random(1).randbytes(100000)
    out.put(b"head")
    out.put(data)
    out.put(b"tail")
    assert out.take() == b"head" + data + b"tail"


def test_block_is_referenced_and_released():
    out = Output()
    used = out.arena_used
    ref = out.block(BLOCK)
    out.put(b"<")
    out.put_block(ref, 10, 20000)
    out.put(b">")
    out.put_block(ref, 0, 5)
    assert out.holders(ref) == 3
    assert out.vector() == [b"<", BLOCK[10:20000], b">", BLOCK[:5]]
    assert out.pending == 1 + 19990 + 1 + 5
    assert out.held >= 19995
    out.sent(1 + 19990)
    assert out.holders(ref) == 2
    out.release(ref)
    assert out.take() == b">" + BLOCK[:5]
    assert out.arena_used == used
    assert (out.held, out.nodes) == (0, 0)


def test_an_empty_part_of_a_block_is_not_queued():
    out = Output()
    ref = out.block(BLOCK)
    out.put_block(ref, 7, 7)
    assert (out.holders(ref), out.pending, out.nodes) == (1, 0, 0)


def test_sending_a_block_byte_by_byte():
    out = Output()
    ref = out.block(BLOCK)
    out.put(b"ab")
    out.put_block(ref, 0, 3)
    out.put(b"yz")
    sent = b""
    while out.pending:
        sent += out.vector()[0][:1]
        out.sent(1)
    assert sent == b"ab" + BLOCK[:3] + b"yz"
    assert out.holders(ref) == 1


def test_vector_is_bounded():
    out = Output()
    ref = out.block(BLOCK)
    for i in range(20):
        out.put(b"%d," % i)
        out.put_block(ref, i, i + 1)
    assert len(out.vector(7)) == 7
    whole = b"".join(b"%d,%c" % (i, BLOCK[i]) for i in range(20))
    sent = b""
    while out.pending:
        piece = b"".join(out.vector(7))
        sent += piece
        out.sent(len(piece))
    assert sent == whole


def test_rollback_in_the_scratch_buffer():
    out = Output()
    out.put(b"keep")
    out.mark()
    out.put(b"drop")
    out.rollback()
    assert out.take() == b"keep"


@pytest.mark.parametrize("before", [0, 3, 700, 1023, 5000, 40000])
@pytest.mark.parametrize("queued", [0, 10, 20000])
@pytest.mark.parametrize("after", [0, 10, 2000, 60000])
def test_rollback_after_spills(before, queued, after):
    rng = random.Random(before + queued + after)
    out = Output(scratch=1024)
    keep = rng.randbytes(queued)
    out.put(keep)
    out.detach()
    out.attach()
    for _ in range(before // 500):
        keep += (piece := rng.randbytes(500))
        out.put(piece)
    keep += (piece := rng.randbytes(before % 500))
    out.put(piece)
    out.mark()
    for _ in range(after // 100):
        out.put(rng.randbytes(100))
    out.rollback()
    assert out.pending == len(keep)
    out.put(b"more")
    assert out.take() == keep + b"more"
    assert (out.held, out.nodes) == (0, 0)


def test_rollback_drops_blocks():
    out = Output()
    ref = out.block(BLOCK)
    out.put_block(ref, 0, 100)
    out.put(b"keep")
    out.mark()
    out.put(b"drop")
    out.put_block(ref, 0, 200)
    out.put(b"drop")
    assert out.holders(ref) == 3
    out.rollback()
    assert out.holders(ref) == 2
    assert out.take() == BLOCK[:100] + b"keep"


def test_rollback_behind_a_block():
    out = Output()
    ref = out.block(BLOCK)
    out.put_block(ref, 0, 100)
    out.mark()
    out.put(b"drop")
    out.put_block(ref, 0, 200)
    out.rollback()
    assert out.take() == BLOCK[:100]


def test_moving_an_output_behind_its_header():
    body, out = Output(scratch=1024), Output()
    body.put(b"x" * 5000)
    out.put(b"header ")
    out.move(body)
    out.put(b" end")
    assert (body.pending, body.held, body.nodes) == (0, 0, 0)
    assert out.take() == b"header " + b"x" * 5000 + b" end"
    out.move(body)
    assert (out.pending, out.held, out.nodes) == (0, 0, 0)
    body.put(b"again")
    out.move(body)
    assert out.take() == b"again"


@pytest.mark.skipif(
    "libasan" in os.environ.get("LD_PRELOAD", ""), reason="the sanitizer ends the process instead"
)
def test_refused_memory_breaks_the_output():
    out = Output()
    ref = out.block(BLOCK)
    out.put(b"before")
    out.put_block(ref, 0, 5)
    data = bytes(200 << 20)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (100 << 20), before[1]))
    try:
        out.put(data)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
    assert out.broken
    out.put(b"after")
    out.put_block(ref, 0, 5)
    out.detach()
    assert out.vector() == []
    assert out.holders(ref) == 2
    del out


def test_random_use_against_a_model():
    rng = random.Random(5)
    for _ in range(60):
        out = Output(scratch=rng.choice((512, 1024, 65536)))
        blocks = [rng.randbytes(rng.randint(1, 30000)) for _ in range(3)]
        refs = [out.block(block) for block in blocks]
        owed = b""
        for _ in range(200):
            action = rng.randrange(6)
            if action < 2:
                piece = rng.randbytes(rng.choice((0, 1, 10, 500, 3000, 20000)))
                out.put(piece)
                owed += piece
            elif action == 2:
                which = rng.randrange(3)
                start = rng.randint(0, len(blocks[which]))
                end = rng.randint(start, len(blocks[which]))
                out.put_block(refs[which], start, end)
                owed += blocks[which][start:end]
            elif action == 3:
                out.detach()
                if rng.random() < 0.7:
                    out.attach()
            elif action == 4:
                n = rng.randint(0, len(owed))
                assert b"".join(out.vector())[:n] == owed[:n]
                out.sent(n)
                owed = owed[n:]
            else:
                out.mark()
                out.put(rng.randbytes(rng.choice((1, 400, 5000))))
                out.put_block(rng.choice(refs), 0, 1)
                out.rollback()
            assert out.pending == len(owed)
        assert out.take() == owed
        assert (out.held, out.nodes) == (0, 0)
        assert [out.holders(ref) for ref in refs] == [1, 1, 1]
