"""minikv/compare/targets.py: models and peers as servers to start."""

import pytest

from minikv.compare import peers, targets
from minikv.compare.peers import Peer
from minikv.models import MODELS


def test_every_model_is_a_target_of_its_own() -> None:
    found, missing = targets.find_targets(list(MODELS))
    assert missing == []
    assert [target.name for target in found] == list(MODELS)
    for target in found:
        assert target.options["io"] == target.name
        assert target.summary.startswith(MODELS[target.name].summary)
        assert target.source == MODELS[target.name].source
        assert not target.is_peer


def test_a_models_own_settings_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(targets.MODEL_OPTIONS, "epoll", {"hz": "20"})
    ((target,), _) = targets.find_targets(["epoll"])
    assert target.options["hz"] == "20"
    assert target.summary.endswith("; here with hz 20")


def test_peers_join_where_they_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    known: dict[str, Peer | str] = {
        "redis": Peer("redis", ("/bin/redis-server",), "8.2.3"),
        "valkey": "valkey: not installed",
    }
    monkeypatch.setattr(targets, "find_peer", known.__getitem__)
    found, missing = targets.find_targets(peers.PEER_NAMES)
    assert [(target.name, target.command, target.is_peer) for target in found] == [
        ("redis", ("/bin/redis-server",), True)
    ]
    assert "8.2.3" in found[0].summary
    assert missing == ["valkey: not installed"]
