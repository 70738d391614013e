"""redis-cli and redis-benchmark, where they are installed."""

import re
import shutil
import subprocess

import pytest


def command_of(tool, server, *words):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    return [tool, "-p", str(server.port), *words]


def run(tool, server, *words, stdin=b""):
    command = command_of(tool, server, *words)
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=True).stdout


@pytest.fixture(params=["-2", "-3"], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


def test_cli(server, protocol):
    assert run("redis-cli", server, protocol, "SET", "cli", "value") == b"OK\n"
    assert run("redis-cli", server, protocol, "GET", "cli") == b"value\n"
    assert run("redis-cli", server, protocol, stdin=b"DEL cli\nEXISTS cli\n") == b"1\n0\n"


def test_cli_pipe(server):
    requests = b"".join(b"SET piped:%d v\r\n" % i for i in range(5000))
    assert b"errors: 0, replies: 5000" in run("redis-cli", server, "--pipe", stdin=requests)


def test_cli_scan(server, protocol):
    run("redis-cli", server, "--pipe", stdin=b"".join(b"SET scanned:%d v\r\n" % i for i in range(300)))
    found = run("redis-cli", server, protocol, "--scan", "--pattern", "scanned:*").split()
    assert sorted(found) == sorted(b"scanned:%d" % i for i in range(300))


def test_cli_bigkeys(server, protocol):
    run("redis-cli", server, "FLUSHALL")
    requests = b"".join(b"SET small:%d v\r\n" % i for i in range(50)) + b"SET large " + b"x" * 500 + b"\r\n"
    run("redis-cli", server, "--pipe", stdin=requests)
    out = run("redis-cli", server, protocol, "--bigkeys")
    assert b"Sampled 51 keys in the keyspace" in out
    assert b'Biggest string found "large" has 500 bytes' in out.replace(b"'", b'"').replace(b'""', b'"')
    assert b"51 strings with 550 bytes" in out


def test_cli_latency(server, protocol):
    """Where its output is no terminal it samples for one interval and prints one line."""
    out = run("redis-cli", server, protocol, "-i", "0.2", "--latency")
    least, most, mean, samples = map(float, out.split())
    assert 0 <= least <= mean <= most and samples > 1


def test_cli_stat(server, protocol):
    run("redis-cli", server, "FLUSHALL")
    run("redis-cli", server, "SET", "counted", "v")
    command = command_of("redis-cli", server, protocol, "-i", "0.05", "--stat")
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            lines = [process.stdout.readline() for _ in range(6)]
        finally:
            process.terminate()
    assert lines[0].startswith(b"------- data ------") and lines[1].startswith(b"keys ")
    rows = [re.split(rb"\s+", line) for line in lines[2:]]
    assert [row[0] for row in rows] == [b"1"] * 4
    requests = [int(row[4]) for row in rows]
    assert requests == sorted(set(requests))


@pytest.mark.parametrize("words", [[], ["-3"]], ids=["resp2", "resp3"])
def test_benchmark(server, words):
    words = [*words, "-q", "-n", "5000", "-c", "20", "-P", "16", "-t", "ping,set,get,incr,mset"]
    out = run("redis-benchmark", server, *words)
    assert out.count(b"requests per second") >= 5
    assert b"rror" not in out
