"""One package per service. They know each other only by the events in `shared.contracts`."""

from pkgutil import iter_modules

SERVICES = tuple(sorted(module.name for module in iter_modules(__path__) if module.ispkg))
"""The services there are: the packages of this one."""
