"""The function app: a table of contents. `SERVICES` says which of the services this app registers."""

from importlib import import_module

import azure.functions as func

from blueprints import SERVICES
from shared.importing import gc_paused
from shared.messaging.triggers import measuring
from shared.settings import settings

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

with gc_paused():
    for service in settings().services(SERVICES):
        triggers = import_module(f"blueprints.{service}.triggers")
        measuring(triggers.bp, triggers.SERVICE)
        app.register_functions(triggers.bp)
