"""The function app that the conformance tests run in the functions host: orchestrators and activities."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import azure.durable_functions as df
from entities import entities  # type: ignore[import-not-found]  # beside this file, where the host finds it

app = df.DFApp()
app.register_functions(entities)
broken = set[str]()
"""What `unsteady` cannot do at present."""
done: list[str] = []
moods = Counter[str]()
"""How often `moody` still raises."""
plans: list[str] = []
"""What `changes_its_mind` does at present."""


@app.orchestration_trigger(context_name="context")
def asks_the_meddler(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_entity(df.EntityId("meddler", "x"), "anything"))


@app.orchestration_trigger(context_name="context")
def calls(context: df.DurableOrchestrationContext) -> Any:
    """Each `[operation, input]` upon one counter, in their order; its answers."""
    answers = []
    for operation, input_ in context.get_input():
        answers.append((yield context.call_entity(df.EntityId("Counter", "mine"), operation, input_)))
    return answers


@app.orchestration_trigger(context_name="context")
def calls_at_once(context: df.DurableOrchestrationContext) -> Any:
    target = df.EntityId("counter", "shared")
    answers = yield context.task_all([context.call_entity(target, "add", 1) for _ in range(context.get_input())])
    return sorted(answers)


@app.orchestration_trigger(context_name="context")
def signals(context: df.DurableOrchestrationContext) -> Any:
    target = df.EntityId("counter", "signalled")
    for number in context.get_input():
        context.signal_entity(target, "add", number)
    yield context.call_activity("double", 1)
    return (yield context.call_entity(target, "get"))


@app.orchestration_trigger(context_name="context")
def survives_an_error(context: df.DurableOrchestrationContext) -> Any:
    target = df.EntityId("counter", "sturdy")
    yield context.call_entity(target, "add", 5)
    try:
        yield context.call_entity(target, context.get_input())
    except Exception as exc:
        return [str(exc), (yield context.call_entity(target, "get"))]


@app.orchestration_trigger(context_name="context")
def calls_nobody(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_entity(df.EntityId("nobody", "x"), "get"))


@app.orchestration_trigger(context_name="context")
def locks(context: df.DurableOrchestrationContext) -> Any:
    yield context.lock([df.EntityId("counter", "mine")])


@app.activity_trigger(input_name="what")
async def unsteady(what: str) -> str:
    done.append(what)
    if what in broken:
        raise RuntimeError(f"{what} is broken")
    return what.upper()


@app.orchestration_trigger(context_name="context")
def one_after_the_other(context: df.DurableOrchestrationContext) -> Any:
    words = []
    for word in context.get_input():
        words.append((yield context.call_activity("unsteady", word)))
    return words


@app.orchestration_trigger(context_name="context")
def all_at_once(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.task_all([context.call_activity("unsteady", word) for word in context.get_input()]))


@app.orchestration_trigger(context_name="context")
def family(context: df.DurableOrchestrationContext) -> Any:
    """A parent of a parent, down to a list of words."""
    names, words = context.get_input()
    if not names:
        return (yield context.call_sub_orchestrator("one_after_the_other", words, f"{context.instance_id}-child"))
    child = f"{context.instance_id}-{names[0]}"
    return (yield context.call_sub_orchestrator("family", [names[1:], words], child))


@app.orchestration_trigger(context_name="context")
def first_of_many(context: df.DurableOrchestrationContext) -> Any:
    """Which of so many answers first, and then what all of them answer."""
    tasks = [context.call_activity("double", number) for number in range(context.get_input())]
    winner = yield context.task_any(tasks)
    return [winner.result, (yield context.task_all(tasks))]


@app.activity_trigger(input_name="name")
async def moody(name: str) -> str:
    done.append(name)
    moods[name] -= 1
    if moods[name] >= 0:
        raise RuntimeError(f"{name} is not in the mood")
    return name


@app.orchestration_trigger(context_name="context")
def in_a_mood(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_activity("moody", context.get_input()))


@app.orchestration_trigger(context_name="context")
def insists(context: df.DurableOrchestrationContext) -> Any:
    """Two sub-orchestrations side by side, tried up to three times each; one has an id of its own."""
    options = df.RetryOptions(first_retry_interval_in_milliseconds=10_000, max_number_of_attempts=3)
    left, right = context.get_input()
    named = f"{context.instance_id}-left"
    return (
        yield context.task_all(
            [
                context.call_sub_orchestrator_with_retry("in_a_mood", options, left, named),
                context.call_sub_orchestrator_with_retry("in_a_mood", options, right),
            ]
        )
    )


@app.orchestration_trigger(context_name="context")
def children(context: df.DurableOrchestrationContext) -> Any:
    """So many sub-orchestrations at once."""
    count = context.get_input()
    return (yield context.task_all([context.call_sub_orchestrator("picky", str(n)) for n in range(count)]))


@app.orchestration_trigger(context_name="context")
def waits_for_its_child(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_sub_orchestrator("collects", [1, []], f"{context.instance_id}-child"))


@app.orchestration_trigger(context_name="context")
def takes_its_own_id(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_sub_orchestrator("picky", None, context.get_input()))


@app.orchestration_trigger(context_name="context")
def changes_its_mind(context: df.DurableOrchestrationContext) -> Any:
    """Does what `plans` says at the moment, which no orchestrator may."""
    for step in plans:
        match step:
            case "a timer":
                yield context.create_timer(context.current_utc_datetime)
            case "a child":
                yield context.call_sub_orchestrator("picky", None)
            case "a signal":
                context.signal_entity(df.EntityId("counter", "mine"), "add", 1)
            case _:
                yield context.call_activity(step, 1)
    yield context.wait_for_external_event("replay")


@app.orchestration_trigger(context_name="context")
def compensates(context: df.DurableOrchestrationContext) -> Any:
    try:
        return (yield context.call_activity("unsteady", "first"))
    except Exception:
        yield context.call_activity("double", 1)
        raise


@app.orchestration_trigger(context_name="context")
def retries(context: df.DurableOrchestrationContext) -> Any:
    options = df.RetryOptions(first_retry_interval_in_milliseconds=1, max_number_of_attempts=2)
    return (yield context.call_activity_with_retry("unsteady", options, context.get_input()))


@app.orchestration_trigger(context_name="context")
def picky(context: df.DurableOrchestrationContext) -> Any:
    yield context.call_activity("double", 1)
    if context.get_input() in broken:
        raise RuntimeError("not like this")
    return "fine"


@app.orchestration_trigger(context_name="context")
def collects(context: df.DurableOrchestrationContext) -> Any:
    """Starts over with each item, until there are as many as wanted."""
    wanted, items = context.get_input()
    item = yield context.wait_for_external_event("item")
    items = [*items, item]
    if len(items) < wanted:
        context.continue_as_new([wanted, items])
    return items


@app.orchestration_trigger(context_name="context")
def forgets(context: df.DurableOrchestrationContext) -> Any:
    """Starts over once upon "go", without having waited for "stray"."""
    yield context.wait_for_external_event("go")
    if not context.get_input():
        context.continue_as_new(True)
        return None
    stray, done = context.wait_for_external_event("stray"), context.wait_for_external_event("done")
    winner = yield context.task_any([stray, done])
    return "stray" if winner is stray else "done"


@app.orchestration_trigger(context_name="context")
def listens(context: df.DurableOrchestrationContext) -> Any:
    """What came under each name, in the order of the names; an activity first, so that events may come before."""
    yield context.call_activity("unsteady", "start")
    heard = []
    for name in context.get_input():
        heard.append((yield context.wait_for_external_event(name)))
    return heard


@app.orchestration_trigger(context_name="context")
def fetches(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.call_http(**context.get_input()))


@app.orchestration_trigger(context_name="context")
def polls(context: df.DurableOrchestrationContext) -> Any:
    """Asks where a 202 points to until the answer is another one."""
    answers = [(yield context.call_http("POST", context.get_input()))]
    while answers[-1]["statusCode"] == 202:
        headers = answers[-1]["headers"]
        pause = timedelta(seconds=int(headers["Retry-After"]))
        yield context.create_timer(context.current_utc_datetime + pause)
        answers.append((yield context.call_http("GET", headers["Location"])))
    return [[answer["statusCode"], answer["content"]] for answer in answers]


@app.orchestration_trigger(context_name="context")
def fetches_as_somebody(context: df.DurableOrchestrationContext) -> Any:
    token_source = df.ManagedIdentityTokenSource("https://management.azure.com/")
    return (yield context.call_http("GET", context.get_input(), token_source=token_source))


@app.activity_trigger(input_name="number")
def double(number: int) -> int:
    return number * 2


@app.orchestration_trigger(context_name="context")
def echoes(context: df.DurableOrchestrationContext) -> Any:
    """What it was given; a generator, as the package wants them."""
    yield context.call_activity("double", 1)
    return context.get_input()


@app.orchestration_trigger(context_name="context")
def hears(context: df.DurableOrchestrationContext) -> Any:
    return (yield context.wait_for_external_event("go"))


@app.orchestration_trigger(context_name="context")
def leaves_a_timer(context: df.DurableOrchestrationContext) -> Any:
    """Waits for "go" or so many seconds, and gives the timer up if it is told to."""
    seconds, gives_up = context.get_input()
    timer = context.create_timer(context.current_utc_datetime + timedelta(seconds=seconds))
    go = context.wait_for_external_event("go")
    winner = yield context.task_any([timer, go])
    if winner is go and gives_up:
        timer.cancel()
    return "went" if winner is go else "waited"


@app.orchestration_trigger(context_name="context")
def sleeps(context: df.DurableOrchestrationContext) -> Any:
    yield context.create_timer(context.current_utc_datetime + timedelta(seconds=context.get_input()))
    return "slept"


@app.orchestration_trigger(context_name="context")
def turns(context: df.DurableOrchestrationContext) -> Any:
    """Starts over while a timer of an hour is open, and hears then what came meanwhile."""
    if context.get_input() is None:
        timer = context.create_timer(context.current_utc_datetime + timedelta(hours=1))
        yield context.task_any([timer, context.call_activity("double", 1)])
        context.continue_as_new("again")
        return None
    return [(yield context.wait_for_external_event("item")), (yield context.wait_for_external_event("item"))]


@app.orchestration_trigger(context_name="context")
def reports(context: df.DurableOrchestrationContext) -> Any:
    """Sets a custom status of so many characters."""
    context.set_custom_status("x" * context.get_input())
    yield context.call_activity("double", 1)
    return "reported"


@app.orchestration_trigger(context_name="context")
def hands_on(context: df.DurableOrchestrationContext) -> Any:
    """Sets a custom status, starts over, and sets none any more."""
    if context.get_input() is None:
        context.set_custom_status("first")
        context.continue_as_new("again")
        return None
    yield context.wait_for_external_event("go")
    yield context.wait_for_external_event("go")
    return "done"


@app.orchestration_trigger(context_name="context")
def asks_for(context: df.DurableOrchestrationContext) -> Any:
    """Calls what it is told to, or hears "go"."""
    kind, name = context.get_input()
    call = context.call_activity if kind == "activity" else context.call_sub_orchestrator
    go = context.wait_for_external_event("go")
    yield context.task_any([call(name, 1), go])
    return "went"


@app.orchestration_trigger(context_name="context")
def catches(context: df.DurableOrchestrationContext) -> Any:
    try:
        yield context.call_activity(*context.get_input())
    except Exception as exc:
        return str(exc)


@app.orchestration_trigger(context_name="context")
def catches_a_child(context: df.DurableOrchestrationContext) -> Any:
    try:
        yield context.call_sub_orchestrator(context.get_input(), "bad", f"{context.instance_id}-child")
    except Exception as exc:
        return str(exc)


@app.orchestration_trigger(context_name="context")
def not_a_number(context: df.DurableOrchestrationContext) -> Any:
    yield context.call_activity("double", 1)
    return float("nan")


@app.orchestration_trigger(context_name="context")
def misspells(context: df.DurableOrchestrationContext) -> Any:
    yield context.call_activity("duoble", 1)
    yield context.call_activity("double", 1)
    yield context.call_sub_orchestrator("pciky", None)
