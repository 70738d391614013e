"""Control-plane commands, written in Python on the engine's command table. Importing this adds them all."""

from importlib import import_module
from pkgutil import iter_modules

for module in iter_modules(__path__):
    import_module(f"{__name__}.{module.name}")
