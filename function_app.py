"""The function app: a table of contents. `SERVICES` says which of the services this app registers."""

from importlib import import_module

import azure.functions as func

from blueprints import SERVICES
from shared.importing import lasting
from shared.settings import settings

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)

with lasting():
    for service in settings().services(SERVICES):
        app.register_functions(import_module(f"blueprints.{service}.triggers").bp)
