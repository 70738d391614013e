"""minikv: a Redis-compatible key-value server, as a command and inside a Python process.

with minikv.Server(port=0) as server: ...       a server in a background thread
minikv.Store().execute(b"SET", b"k", b"v")      the engine with no socket
@minikv.command("NAME")                         a command of one's own
"""

from .errors import MinikvError, ReplyError, SettingError, StartError
from .registry import command
from .server import Server
from .store import Store
from .version import __version__

__all__ = [
    "MinikvError",
    "ReplyError",
    "Server",
    "SettingError",
    "StartError",
    "Store",
    "__version__",
    "command",
]
