"""What a measurement raises."""

from minikv.errors import MinikvError


class MeasurementError(MinikvError):
    """A server, the load or the machine failed a measurement; the text says which and how."""
