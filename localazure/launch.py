"""What `up` is going to start: which parts, on which ports, with which options, and how the app finds them."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from localazure.functions.settings import WORKER_PROCESSES
from localazure.identities import SECRET
from localazure.part import HOST, Part
from localazure.parts import FUNCTIONS, TABLE, PartError, check_options, load, port_variable
from localazure.split import TLS, Split
from localazure.supervisor import Launch, instance_of

SPLIT_CONFIGURATION = "apim/configuration.split.json"


class PortsInUse(Exception):
    """One line for each port that is taken: which part wants it, and what moves that part."""


def plan(
    only: Sequence[str],
    chosen_ports: Mapping[str, int],
    chosen_options: Mapping[str, Mapping[str, str]],
    environment: Mapping[str, str],
    app: Path,
    split: Sequence[str] = (),
    instances: int = 0,
    state: Path = Path(".local"),
) -> list[Launch]:
    """`app` is the app's directory, `state` that of the parts. `split` names services that each get a functions host
    and an identity of their own.

    Of each functions host there are so many `instances` on one port, and there may be more; 0: one that shares nothing.

    Raises PartError for a part or option that does not exist, PortsInUse before anything is started.
    """
    hosts = {f"{FUNCTIONS}-{service}": service for service in split}
    known = [name for name in TABLE if name != FUNCTIONS or not hosts] + list(hosts)
    for name in (*only, *(name for name in chosen_ports if name != "all"), *chosen_options):
        if name not in {*known, FUNCTIONS}:
            raise PartError(f"there is no part {name!r}; the parts are {', '.join(known)}")
    parts = {name: load(FUNCTIONS if name in hosts else name) for name in known if not only or name in only}
    wanted = {name: wanted_port(part, chosen_ports, environment, name) for name, part in parts.items()}
    for place, name in enumerate(name for name in hosts if name in wanted):
        if wanted[name] and not {name, "all"} & chosen_ports.keys():
            wanted[name] += place  # the first has the port of the part, and the others those behind it
    ports = allocate(wanted | ({name: 0 for part, name in TLS.items() if part in wanted} if hosts else {}))
    services = Split(app, state, ports, chosen_options.get("entra", {}).get("tenant", ""))
    host_port = wanted_port(load(FUNCTIONS), {}, environment)
    launches = []
    for name, part in parts.items():
        shared = chosen_options.get(FUNCTIONS, {}) if name in hosts else {}
        if hosts:
            shared = {**shared, **services.options(part.name)}
        options = {
            **_default_options(part, {each: ports[each] for each in parts}, app, bool(hosts), host_port),
            **shared,
            **chosen_options.get(name, {}),
        }
        check_options(part, options)
        host = part.name == FUNCTIONS
        overrides = settings(ports, environment, _settings_file(app, options)) if host else {}
        if name in hosts:
            own = services.environment(hosts[name], _values(_settings_file(app, options)), environment, overrides)
            overrides = {WORKER_PROCESSES: environment.get(WORKER_PROCESSES, "1"), **own}
        elif part.name == "entra" and hosts:
            overrides = {SECRET: services.secret}
        summary = f"{part.summary}: {hosts[name]}" if name in hosts else part.summary
        folder = name if name in hosts else ""
        launch = Launch(name, part.name, summary, ports[name], options, overrides, host, folder)
        launches += (
            [instance_of(launch, number) for number in range(1, instances + 1)] if host and instances else [launch]
        )
    return launches


def wanted_port(part: Part, chosen: Mapping[str, int], environment: Mapping[str, str], name: str = "") -> int:
    """By the command line (`name` is what it is launched as), the environment, or the part's default.

    Raises PartError for one that is no port.
    """
    for source in (name or part.name, "all"):
        if source in chosen:
            return chosen[source]
    variable = port_variable(part.name)
    text = environment.get(variable)
    if not text:
        return part.default_port
    if not text.isdecimal() or int(text) > 65535:
        raise PartError(f"{variable} must be a port number, not {text!r}")
    return int(text)


def allocate(wanted: Mapping[str, int]) -> dict[str, int]:
    """The same ports, each 0 replaced by one the operating system gives. Raises PortsInUse.

    The app's settings and the provider's webhook name addresses of parts that have not been started yet, so the
    ports are known beforehand; a part that dies comes back on its own.
    """
    ports: dict[str, int] = {}
    taken: list[str] = []
    with ExitStack() as held:
        for name, port in wanted.items():
            try:
                listening = held.enter_context(socket.create_server((HOST, port)))
            except OSError:
                variable = port_variable(name if name in TABLE else FUNCTIONS)
                taken.append(f"port {port} ({name}) is in use; set {variable} or --port {name}=N")
            else:
                ports[name] = int(listening.getsockname()[1])
    if taken:
        raise PortsInUse("\n".join(taken))
    return ports


def settings(ports: Mapping[str, int], environment: Mapping[str, str], file: Path) -> dict[str, str]:
    """App settings that must name another port than the settings file does.

    One that the environment already sets, or that points somewhere else altogether, is left as it is.
    """
    values = _values(file)
    overrides: dict[str, str] = {}
    for name, port in ports.items():
        setting = TABLE[name].setting if name in TABLE else ""
        if setting in environment or setting not in values:
            continue
        default = load(name).default_port
        moved = values[setting].replace(f"localhost:{default}", f"localhost:{port}")
        if moved != values[setting]:
            overrides[setting] = moved
    return overrides


def _settings_file(app: Path, options: Mapping[str, str]) -> Path:
    """The file the functions host is going to read."""
    return Path(options.get("settings") or app / "local.settings.json")


def _values(file: Path) -> dict[str, str]:
    """The app settings in a settings file, none where there is no file. Raises PartError for a malformed one."""
    if not file.exists():
        return {}
    try:
        values = json.loads(file.read_text())["Values"]
    except (ValueError, LookupError, TypeError) as exc:
        raise PartError(f"{file} is not a settings file: {exc!r}") from exc
    return {str(name): str(value) for name, value in values.items()}


def _default_options(part: Part, ports: Mapping[str, int], app: Path, split: bool, host: int) -> dict[str, str]:
    options = {name: str(app / file) for name, file in TABLE[part.name].files.items() if (app / file).exists()}
    if part.name == "insights":
        options["addresses"] = json.dumps({name: _address(name, port) for name, port in ports.items()})
    if part.name == "apim":
        # a host that is not started here, as that of Core Tools, is where the environment says
        found = dict(ports) if split else {FUNCTIONS: host, **ports}
        addresses = {name: f"http://localhost:{port}" for name, port in found.items()}
        options |= {"addresses": json.dumps(addresses), "entra": addresses.get("entra", "")}
        if split and (app / SPLIT_CONFIGURATION).exists():
            options["configuration"] = str(app / SPLIT_CONFIGURATION)
    if "endpoint" in options:
        front = f":{ports['apim']}" if "apim" in ports else f":{ports[FUNCTIONS]}/api" if FUNCTIONS in ports else ""
        webhook = _webhook(Path(options["endpoint"]))
        options |= {"webhook_url": f"http://localhost{front}{webhook}"} if front and webhook else {}
    return options


def _address(name: str, port: int) -> str:
    return f"{'sb' if name == 'servicebus' else 'http'}://localhost:{port}"


def _webhook(endpoint: Path) -> str:
    """The path of the app's webhook that the file names, empty where it names none. Raises PartError."""
    try:
        return str(json.loads(endpoint.read_text()).get("url", ""))
    except (ValueError, AttributeError) as exc:
        raise PartError(f"{endpoint} does not describe a webhook endpoint: {exc!r}") from exc
