"""The sockets that datagrams come to: opening, closing, and what other machines may have of them."""

import socket

import pytest
from datagrams import Sender, free_port, request
from network import Cable, Host
from processes import ServerProcess

import minikv
from minikv.models import MODELS

SERVING = [name for name, model in MODELS.items() if model.datagrams]


# ---------------------------------------------------------------- opening and closing


def test_off_by_default():
    """A connected client sees the refusal of its first datagram as an error of the next call."""
    with minikv.Server(port=0) as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        s.connect(("127.0.0.1", server.port))
        s.send(b"PING\r\n")
        with pytest.raises(ConnectionRefusedError):
            s.recv(100)


def test_a_server_that_has_gone_refuses(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(20)
        with minikv.Server(port=None, udp_port=free_port(), unixdatagram=str(path)) as server:
            assert path.is_socket()
            s.connect(("127.0.0.1", server.settings["udp-port"]))
            s.send(b"PING\r\n")
            assert s.recv(100) == b"+PONG\r\n"
        s.send(b"PING\r\n")
        with pytest.raises(ConnectionRefusedError):
            s.recv(100)
    assert not path.exists()


def test_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with (
        minikv.Server(port=0, udp_port=free_port(), udp_bind="::1") as server,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s,
    ):
        sender = Sender(s, ("::1", server.settings["udp-port"]))
        assert sender.one("PING") == b"PONG"
        assert " addr=[::1]:" in sender.one("CLIENT LIST").decode()


def test_a_port_in_use_is_an_error():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        with pytest.raises(
            minikv.StartError, match=r"Failed opening UDP port \d+ \(127.0.0.1\): Address already"
        ):
            minikv.Server(port=0, udp_port=s.getsockname()[1])


@pytest.mark.parametrize("model", [name for name in MODELS if name not in SERVING])
@pytest.mark.parametrize("setting", [{"udp_port": 7000}, {"unixdatagram": "/nowhere"}], ids=["UDP", "Unix"])
def test_other_models_refuse(model, setting):
    text = f"io {model} can't serve udp-port and unixdatagram: it waits for connections alone, unlike epoll, "
    with pytest.raises(minikv.StartError, match=text):
        minikv.Server(port=0, io=model, **setting)


# ---------------------------------------------------------------- other machines


@pytest.fixture
def far(opened):
    """Asks a server of settings, from another machine."""
    here, there = opened(Host()), opened(Host())
    Cable(here, there)

    def ask(**settings):
        near = Cable.addresses[0]
        here.run(lambda: opened(ServerProcess(bind="127.0.0.1", udp_port=7000, udp_bind=near, **settings)))
        s = opened(there.run(socket.socket, socket.AF_INET, socket.SOCK_DGRAM))
        return Sender(s, (near, 7000))

    return ask


def test_no_amplifier(far):
    """To another machine no answer is larger than the request; an error stands in for it, or nothing."""
    sender = far(protected_mode="no")
    assert sender.raw(request("SET", "k", "v" * 1000)) == b"+OK\r\n"
    assert sender.raw(request("GET", "k")) == b"-ERR too large\r\n"
    assert sender.is_unanswered(b"GET k\r\n")
    assert sender.is_unanswered(b"PING\r\n")
    assert sender.raw(b"PING   \r\n") == b"+PONG\r\n"
    assert sender.is_unanswered(b"x")
    assert sender.is_unanswered(b"-ERR too large\r\n" * 10)
    assert sender.raw(request("GET", "k") + b"\r\n" * 600) == b"$1000\r\n" + b"v" * 1000 + b"\r\n"


def test_protected_mode(far):
    sender = far()
    assert sender.raw(request("SET", "k", "v" * 100)) == b"-DENIED protected mode\r\n"
    sender.socket.sendto(b"PING\r\n", sender.place)
    assert sender.raw(request("SET", "k", "v" * 100)) == b"-DENIED protected mode\r\n"
