"""Hosts of a test's own: network namespaces, and a cable between two of them."""

import ctypes
import itertools
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
numbers = itertools.count()


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Host:
    """A network namespace; without the right to make one the test is skipped."""

    def __init__(self):
        if os.geteuid() != 0 or shutil.which("ip") is None:
            pytest.skip("network namespaces need root and iproute2")
        self.name = f"minikv-{os.getpid()}-{next(numbers)}"
        try:
            ip("netns", "add", self.name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespace can be made: {error.stderr.decode().strip()}")
        self.ip("link", "set", "lo", "up")

    def ip(self, *words):
        ip("-n", self.name, *words)

    def run(self, function, *args, **kwargs):
        """Call a function on this host: the sockets and processes that it makes belong there."""
        result = []

        def inside():
            with Path(f"/run/netns/{self.name}").open() as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            result.append(function(*args, **kwargs))

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        return result[0]

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        ip("netns", "del", self.name)


class Cable:
    """Joins two hosts, which get an address each."""

    addresses = "10.77.0.1", "10.77.0.2"

    def __init__(self, *hosts):
        self.hosts = hosts
        names = [f"mkv{os.getpid() % 10_000}-{next(numbers)}" for _ in hosts]
        self.names = names
        ends = ("netns", hosts[0].name, "type", "veth", "peer", "name", names[1], "netns", hosts[1].name)
        ip("link", "add", names[0], *ends)
        for host, name, address in zip(hosts, names, self.addresses, strict=True):
            host.ip("addr", "add", f"{address}/24", "dev", name)
            host.ip("link", "set", name, "up")

    @contextmanager
    def cut(self):
        """Meanwhile all that is sent is lost, and nobody is told.

        The second host is without its address. A link that is down would be noticed: the kernel does not
        count keepalive probes that its own device refuses.
        """
        place = f"{self.addresses[1]}/24", "dev", self.names[1]
        self.hosts[1].ip("addr", "del", *place)
        try:
            yield
        finally:
            self.hosts[1].ip("addr", "add", *place)
