"""The command line: `python -m localazure <part>` and `python -m localazure up`."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from localazure import running
from localazure.clock import SystemClock
from localazure.launch import PortsInUse, plan, wanted_port
from localazure.part import Part
from localazure.parts import DURABLE, TABLE, PartError, check_options, load, port_variable
from localazure.serve import run
from localazure.supervisor import MAX_INSTANCES, Launch, StartFailed, Supervisor, scale

STATE = Path(os.environ.get("LOCALAZURE_STATE") or ".local")
OWN_FILES = 0o077
"""The umask of every part: its files hold a signing key, addresses and logs, and are for nobody else on the machine."""
AUTO_MOST = 5
"""Instances that `--instances auto` has at most: each is a process of the whole app."""
STOP_PATIENCE = 60.0
"""Seconds that `stop` waits: the hosts may take half of it to end what is under way."""
USAGE = 2  # the exit code of a command that cannot be understood


def main(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return 0 if arguments else USAGE
    command, rest = arguments[0], arguments[1:]
    os.umask(OWN_FILES)
    try:
        if command == "up":
            return _up(rest)
        if command == "scale":
            return _scale(rest)
        if command == "logs":
            return _logs(rest)
        if command in _LOOKS:
            return _LOOKS[command](_state(command, rest))
        if command == "durable":
            print(DURABLE, file=sys.stderr)
            return USAGE
        return _one(command, rest)
    except PartError as exc:
        print(exc, file=sys.stderr)
        return USAGE
    except (PortsInUse, running.StillRunning) as exc:
        print(exc, file=sys.stderr)
        return 1


def overview() -> str:
    """What there is, for `--help`."""
    parts = "\n".join(_described(load(name)) for name in TABLE)
    return f"""The Azure services this app uses, on one machine, for the unmodified official SDKs.

  python -m localazure up [--state DIR] [--only PART,…] [--port PART=N] [--set PART.OPTION=VALUE] [--split SERVICE,…]
                          [--instances N|auto|auto:MOST] [--reload]
      Start everything, each part as a process of its own, and serve until Ctrl-C. A part that dies is started
      again, unless DIR/hold/PART exists. With --split, each of those services has a functions host of its own,
      functions-SERVICE, with its own files and identity, and no keys. Addresses are printed when all are ready and
      kept in DIR/addresses.json, logs in DIR/logs.

      With --instances, so many of each functions host run on one port, the kernel deals out the connections, and
      `python -m localazure scale functions=3 [--state DIR]` has more or fewer of them while they are at work.
      With --instances auto there are 1 to {AUTO_MOST} (auto:9: to 9), by what waits for
      them: messages, changes of feeds, what Durable has to do.

      With --reload, a change of the app's files starts a new process of each functions host; the old one leaves when
      the new one serves, and ends what it does. A file that .funcignore leaves out is none of the app's.

  python -m localazure status [--state DIR]   what runs there, where, and whether it answers
  python -m localazure stop [--state DIR]     stop it, as Ctrl-C would
  python -m localazure doctor [--state DIR]   whether this machine can run it: ports, disk, open files, clock
  python -m localazure reset [--state DIR]    forget what is kept there, when nothing runs
  python -m localazure logs [PART …] [--follow] [--json] [--where FIELD=VALUE] [--state DIR]
      The logs of all parts, or of these, in the order of time; --where asks for a field of the app's JSON lines.

  python -m localazure PART [--port N] [--state DIR] [--option NAME=VALUE]
      Start one part alone. Its state is kept in DIR, so a restarted part resumes where it was.

DIR is {STATE} unless --state or LOCALAZURE_STATE says otherwise. Everything binds to 127.0.0.1. Port 0 lets the
operating system choose; `--port all=0` does so for all parts.

Parts
{parts}

  durable
      {DURABLE}
"""


def _described(part: Part) -> str:
    lines = [
        f"\n  {part.name}",
        f"      {part.summary}.",
        f"      Port {part.default_port}, unless {port_variable(part.name)} says otherwise.",
        *(f"      {name}: {meaning}" for name, meaning in part.options.items()),
    ]
    return "\n".join(lines)


def _parser(command: str, description: str = "") -> argparse.ArgumentParser:
    """What every command takes: the directory it is about."""
    parser = argparse.ArgumentParser(
        prog=f"python -m localazure {command}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--state", type=Path, default=STATE, metavar="DIR", help=f"default {STATE}")
    return parser


def _one(name: str, arguments: Sequence[str]) -> int:
    part = load(name)
    parser = _parser(name, _described(part))
    parser.add_argument("--port", type=_port, metavar="N", help=f"default {part.default_port}; 0: any free port")
    parser.add_argument("--option", type=_pair, action="append", default=[], metavar="NAME=VALUE", help="see above")
    given = parser.parse_args(arguments)
    options = dict(given.option)
    check_options(part, options)
    chosen = {} if given.port is None else {name: given.port}
    return run(part, wanted_port(part, chosen, os.environ), given.state, options)


def _up(arguments: Sequence[str]) -> int:
    parser = _parser("up", "Start everything, serve until Ctrl-C.")
    parser.add_argument("--only", default="", metavar="PART,…", help="start these parts and no others")
    parser.add_argument(
        "--port", type=_port_of, action="append", default=[], metavar="PART=N", help="all=0: any free ports"
    )
    parser.add_argument(
        "--set", type=_option_of, action="append", default=[], metavar="PART.OPTION=VALUE", help="an option of a part"
    )
    parser.add_argument(
        "--split", default="", metavar="SERVICE,…", help="a functions host of its own for each of these services"
    )
    parser.add_argument(
        "--instances",
        type=_instances,
        default=(0, 0),
        metavar="N|auto[:MOST]",
        help="so many instances of each functions host, on one port; auto: as many as what waits needs",
    )
    parser.add_argument("--reload", action="store_true", help="start the app anew when one of its files is changed")
    given = parser.parse_args(arguments)
    if (found := running.find(given.state)) is not None:
        print(f"already running on {given.state}, process {found.pid}\n{found.table()}")
        return 0
    options: dict[str, dict[str, str]] = {}
    for part, name, value in given.set:
        options.setdefault(part, {})[name] = value
    only = [name for name in given.only.split(",") if name]
    app = Path(options.get("functions", {}).get("app", "."))
    split = [name for name in given.split.split(",") if name]
    instances, most = given.instances
    instances = max(instances, given.reload)  # only what shares its port can be replaced while it serves
    launches = plan(only, dict(given.port), options, os.environ, app, split, instances, given.state)
    settings = Path(options.get("functions", {}).get("settings", app / "local.settings.json"))
    return asyncio.run(_supervise(launches, given.state, most, (app, settings) if given.reload else None))


def _scale(arguments: Sequence[str]) -> int:
    parser = _parser("scale", "Have more or fewer instances of a functions host that runs.")
    parser.add_argument("wanted", type=_pair, nargs="+", metavar="HOST=N", help="functions=3")
    given = parser.parse_args(arguments)
    try:
        scale(given.state, {name: _count(count) for name, count in given.wanted})
    except (StartFailed, argparse.ArgumentTypeError) as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


def _state(command: str, arguments: Sequence[str]) -> Path:
    return Path(_parser(command).parse_args(arguments).state)


def _logs(arguments: Sequence[str]) -> int:
    from localazure import logs

    parser = _parser("logs", "The logs of all parts as one.")
    parser.add_argument("--follow", action="store_true", help="go on with what is written, until Ctrl-C")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.add_argument(
        "--where", type=_pair, action="append", default=[], metavar="FIELD=VALUE", help="level=ERROR, trace_id=…"
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help="these logs alone")
    given = parser.parse_args(arguments)
    read = logs.follow if given.follow else logs.entries
    try:
        for entry in read(given.state, given.parts, dict(given.where)):
            print(entry.as_json() if given.json else entry.plain(colour=sys.stdout.isatty()), flush=given.follow)
    except LookupError as exc:
        print(exc, file=sys.stderr)
        return 1
    except (KeyboardInterrupt, BrokenPipeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be said there
    return 0


def _status(state: Path) -> int:
    found = running.find(state)
    if found is None:
        print(f"nothing is running on {state}")
        return 1
    print(f"running on {state}, process {found.pid}\n{found.table(ask=True)}")
    return 0


def _stop(state: Path) -> int:
    stopped = running.stop(state, STOP_PATIENCE)
    print(f"stopped what was running on {state}" if stopped else f"nothing is running on {state}")
    return 0


def _reset(state: Path) -> int:
    forgotten = running.reset(state)
    print(f"{state} is forgotten" if forgotten else f"nothing is kept in {state}")
    return 0


def _doctor(state: Path) -> int:
    from localazure.doctor import look

    findings = [*look(state, os.environ)]
    print(*findings, sep="\n")
    return 0 if all(finding.good for finding in findings) else 1


_LOOKS: dict[str, Callable[[Path], int]] = {"doctor": _doctor, "status": _status, "stop": _stop, "reset": _reset}


async def _supervise(launches: Sequence[Launch], state: Path, most: int, app: tuple[Path, Path] | None) -> int:
    """`most`: by what waits there are one to so many instances of each functions host; 0: their number is fixed.

    `app`: the directory and the settings file that are watched, and the app started anew when they change.
    """
    beside, changed = [], set[str]()
    if app is not None:
        from localazure.reload import App

        beside.append(asyncio.create_task(App(*app).watch(changed)))
    if most:
        from localazure.scaler import Scaler, with_counters

        launches, broker = with_counters(launches)
        scaler = Scaler(state, broker, most, SystemClock(), _say)
        beside.append(asyncio.create_task(scaler.run()))
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    try:
        await Supervisor(launches, state, _say, changed).run(stop)
    except (StartFailed, running.Taken) as exc:
        print(exc, file=sys.stderr)
        return 1
    finally:
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
    return 0


def _say(line: str) -> None:
    with suppress(OSError):  # the terminal may be closed: the parts are to be stopped all the same
        print(line, flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port number")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_INSTANCES:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {MAX_INSTANCES}")
    return int(text)


def _instances(text: str) -> tuple[int, int]:
    """How many there are at first, and how many there may be at most; 0: the number is fixed."""
    word, colon, most = text.partition(":")
    if word != "auto":
        return _count(text), 0
    return 1, _count(most) if colon else AUTO_MOST


def _port_of(text: str) -> tuple[str, int]:
    part, number = _pair(text)
    return part, _port(number)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _option_of(text: str) -> tuple[str, str, str]:
    name, value = _pair(text)
    part, dot, option = name.partition(".")
    if not dot or not option:
        raise argparse.ArgumentTypeError(f"{text!r} is not PART.OPTION=VALUE")
    return part, option, value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
