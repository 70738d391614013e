"""redis-cli and redis-benchmark, where they are installed."""

import shutil
import subprocess

import pytest


def run(tool, server, *words, stdin=b""):
    if shutil.which(tool) is None:
        pytest.skip(f"{tool} is not installed")
    command = [tool, "-p", str(server.port), *words]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("protocol", ["-2", "-3"])
def test_cli(server, protocol):
    assert run("redis-cli", server, protocol, "SET", "cli", "value") == b"OK\n"
    assert run("redis-cli", server, protocol, "GET", "cli") == b"value\n"
    assert run("redis-cli", server, protocol, stdin=b"DEL cli\nEXISTS cli\n") == b"1\n0\n"


def test_cli_pipe(server):
    requests = b"".join(b"SET piped:%d v\r\n" % i for i in range(5000))
    assert b"errors: 0, replies: 5000" in run("redis-cli", server, "--pipe", stdin=requests)


def test_cli_scan(server):
    run("redis-cli", server, "SET", "scanned:1", "v")
    assert run("redis-cli", server, "--scan", "--pattern", "scanned:*") == b"scanned:1\n"


def test_benchmark(server):
    words = ["-q", "-n", "5000", "-c", "20", "-P", "16", "-t", "ping,set,get,incr,mset"]
    out = run("redis-benchmark", server, *words)
    assert out.count(b"requests per second") >= 5
    assert b"rror" not in out
