"""Helpers of the scenario tests: a workflow, scenarios for it, what came of them."""

from stepwell_interpreter.compile import Compiled, compile_source
from stepwell_interpreter.scenarios import ScenarioResult, ScenarioSet, load_scenarios, run_scenarios
from stepwell_schemas.catalog import ActivityDescription

FILE = "order.tests.yaml"

ORDER = """
id: order
version: 1.0.0
input: {type: object, required: [id], properties: {id: {type: string}, limit: {type: integer}}}
events: {Paid: {type: object, required: [id]}, Seen: {}}
start: {on: [Seen], input: {id: $.event.data.id}}
configuration: {timeout: P1D, retry: [], onError: Undo}
startAt: Reserve
states:
  Reserve:
    type: task
    activity: stock.reserve
    input: {order: $.input.id}
    retry: [{errors: [Busy], maxAttempts: 2, initialInterval: PT1S, jitter: none}]
    compensateWith: {activity: stock.release, input: {kept: $.result.kept}}
    resultPath: $.state.reservation
    catch: [{errors: [OutOfStock], resultPath: $.state.problem, next: Undo}]
    next: Payment
  Payment:
    type: wait
    event: Paid
    match: {id: $.input.id}
    timeout: PT1H
    timeoutNext: Undo
    resultPath: $.state.payment
    next: Large
  Large:
    type: choice
    choices: [{variable: $.state.reservation.cents, greaterThan: 1000, next: Both}]
    default: Done
  Both:
    type: parallel
    branches:
      pack: {startAt: Pack, states: {Pack: {type: task, activity: pack, resultPath: null, end: true}}}
      tell: {startAt: Tell, states: {Tell: {type: task, activity: tell, resultPath: null, end: true}}}
    resultPath: null
    next: Done
  Done: {type: succeed, output: {id: $.input.id, cents: $.state.reservation.cents}}
  Undo: {type: compensation, resultPath: $.state.undone, next: Failed}
  Failed: {type: fail, error: OrderFailed, cause: it was undone}
"""

PAID = """
    input: {id: o-1}
    tasks: {Reserve: {output: {kept: k-1, cents: 50}}}
    events: [{at: PT5M, type: Paid, data: {id: o-1}}]
"""


def order(activities: dict[str, ActivityDescription] | None = None) -> Compiled:
    """The workflow, accepted."""
    compiled = compile_source(ORDER, file="order.yaml")
    assert compiled.program is not None, compiled.problems
    return compiled


def scenarios(text: str) -> ScenarioSet:
    """The scenarios of a text that is the list under `tests:`."""
    return load_scenarios(f"definition: order.yaml\ntests:\n{text}", file=FILE)


def ran(text: str, compiled: Compiled | None = None) -> list[ScenarioResult]:
    """What came of scenarios that can be read."""
    given = scenarios(text)
    assert given.problems == ()
    return run_scenarios(compiled or order(), given)


def ran_one(expect: str, given: str = PAID) -> ScenarioResult:
    """What came of one scenario with this expectation."""
    [result] = ran(f"  - name: one\n{given.strip(chr(10))}\n    expect: {expect}\n")
    return result


def refused(text: str) -> list[str]:
    """`line:column: message` of each problem of scenarios that cannot be run."""
    [result] = run_scenarios(order(), scenarios(text))
    assert result.verdict == "unusable"
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in result.problems]
