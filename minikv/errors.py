"""Every exception minikv raises on purpose.

MinikvError
├── SettingError          a setting was refused: its name, and why
│   └── UnknownSetting    there is no setting of that name
├── StartError            the server cannot start; one line for the user
└── ReplyError            a Python command answers with an error
"""


class MinikvError(Exception):
    """Base of all."""


class SettingError(MinikvError):
    """A setting was refused.

    name    as the user wrote it
    reason  a phrase without the name
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


class UnknownSetting(SettingError):
    """There is no setting of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "Bad directive or wrong number of arguments")


class StartError(MinikvError):
    """The server cannot start: port in use, socket path not writable, ..."""


class ReplyError(MinikvError):
    """A Python command answers with an error.

    message  the whole reply line with its code, such as "ERR no such key"
    """
