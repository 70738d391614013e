"""What is compared: every I/O model of minikv, and the peers that are installed."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from minikv.compare.peers import PEER_NAMES, Peer, find_peer
from minikv.models import MODELS

NAMES = (*MODELS, *PEER_NAMES)
SUMMARIES = {name: model.summary for name, model in MODELS.items()} | {
    "redis": "Redis as it comes: one thread, level-triggered epoll",
    "valkey": "Valkey as it comes: one thread, level-triggered epoll",
}
MAX_CLIENTS = 12_000  # 10,000, and room


@dataclass(frozen=True)
class Target:
    """A server as it is measured."""

    name: str
    summary: str
    command: tuple[str, ...]
    source: str = ""  # the file that implements the model
    is_peer: bool = False
    options: dict[str, str] = field(default_factory=dict)


COMMON_OPTIONS = {
    "maxclients": str(MAX_CLIENTS),
    "protected-mode": "no",  # connections come from many loopback addresses
    "enable-debug-command": "yes",  # DEBUG SLEEP is the work that blocks
}
MODEL_OPTIONS = {
    "prefork": {"pm": "static"},  # all workers from the start: they come a few a second otherwise
}


def find_targets(names: Sequence[str]) -> tuple[list[Target], list[str]]:
    """Those of the names that can be measured, and why the others cannot."""
    found, missing = [], []
    for name in names:
        if name in MODELS:
            model = MODELS[name]
            command = (sys.executable, "-m", "minikv")
            own = MODEL_OPTIONS.get(name, {})
            here = "".join(f"; here with {setting} {value}" for setting, value in own.items())
            options = COMMON_OPTIONS | own | {"io": name}
            found.append(Target(name, model.summary + here, command, model.source, options=options))
            continue
        peer = find_peer(name)
        if isinstance(peer, Peer):
            summary = f"{SUMMARIES[name]} ({peer.version})"
            found.append(Target(name, summary, peer.command, is_peer=True, options=COMMON_OPTIONS))
        else:
            missing.append(peer)
    return found, missing
