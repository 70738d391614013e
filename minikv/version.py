"""The package's version, in a module that imports nothing so that the build can read it."""

__version__ = "0.1.0"
REDIS_VERSION = "8.2.3"  # whose behaviour is kept; what clients read in HELLO and INFO
