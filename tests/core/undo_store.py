"""An engine with an undo log: commands run on a few keys, and what they did is taken back, byte by byte."""

from minikv_core.handle import EngineHandle
from minikv_core.undocheck import UndoCheck

import minikv  # noqa: F401  (adds the commands)
from minikv.errors import ReplyError

KEYS = ("a", "b", "c")


class UndoStore:
    """KEYS of one kind of value.

    read       the command that shows a value whole: its words, with the key behind the first
    settings   of the engine, as in Config
    """

    def __init__(self, read, **settings):
        self.handle = EngineHandle(2, 1 << 30, False)
        for name, value in settings.items():
            self.handle.configure(name, value)
        self.undo = UndoCheck(self.handle)
        self.read = read

    def run(self, *args):
        try:
            return self.handle.execute(0, 2, tuple(str(arg).encode() for arg in args))
        except ReplyError as error:
            return str(error)

    def dump(self):
        command, *words = self.read
        return [(self.run(command, key, *words), self.run("OBJECT", "ENCODING", key)) for key in KEYS]

    def undone(self, commands):
        """Run commands and take them back, before a commit and at its very end; then run them."""
        before = self.dump()
        self.undo.snapshot()
        for commits in (False, True):
            for command in commands:
                self.run(*command)
            if commits:
                self.undo.begin_commit()
            self.undo.rollback()
            self.undo.compare()
            assert self.dump() == before
        for command in commands:
            self.run(*command)
        self.undo.commit()
        self.undo.check()
