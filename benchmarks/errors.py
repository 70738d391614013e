"""The one exception of the package: something outside it did not do what a measurement needs."""


class BenchmarkError(Exception):
    """A server, the load generator or the machine failed a measurement; the text says which and how."""
