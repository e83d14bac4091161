"""The workflows of the simulation: waits with timeouts, retries, branches, children, undo; small accumulators."""

from stepwell_schemas.catalog import ActivityDescription

ACTIVITIES = [
    ActivityDescription(name=name, heartbeat_seconds=None) for name in ("reserve", "free", "ship", "sub")
]

_GATHER = """
id: gather
version: 1.0.0
events: {Seen: {}, Go: {}, Ping: {}}
start: {on: [Seen], input: {device: $.event.device}, afterCompletion: restart}
configuration:
  accumulator: {maxEvents: 12, overflow: dropOldest}
  onError: Undo
  retry: {maxAttempts: 2, initialInterval: 1}
startAt: Wait
states:
  Wait: {type: wait, event: Go, match: {n: 1}, timeout: PT40S, timeoutNext: Reserve, resultPath: null, next: Reserve}
  Reserve:
    type: task
    activity: reserve
    timeout: 20
    resultPath: $.state.reserved
    compensateWith: {activity: free}
    next: Both
  Both:
    type: parallel
    branches:
      ship: {startAt: S, states: {S: {type: task, activity: ship, resultPath: null, end: true}}}
      go: {startAt: G, states: {G: {type: wait, event: Go, timeout: PT15S, resultPath: null, end: true}}}
    resultPath: null
    next: Done
  Undo: {type: compensation, steps: auto, resultPath: null, next: Failed}
  Done: {type: succeed}
  Failed: {type: fail, error: Undone}
"""

_WATCH = """
id: watch
version: 1.0.0
events: {Seen: {}, Ping: {}}
start: {on: [Ping], input: {device: $.event.device}}
startAt: First
states:
  First: {type: wait, event: Ping, timeout: PT25S, timeoutNext: Child, resultPath: null, next: Pings}
  Pings: {type: wait, event: Ping, count: 2, timeout: PT30S, timeoutNext: Child, resultPath: null, next: Child}
  Child:
    type: task
    workflow: child
    timeout: PT25S
    catch: [{errors: [States.ALL], next: Seen}]
    resultPath: null
    next: Seen
  Seen: {type: wait, event: Seen, timeout: PT1H, timeoutNext: Done, resultPath: null, next: Pings}
  Done: {type: succeed}
"""

_CHILD = """
id: child
version: 1.0.0
events: {Go: {}}
startAt: Sub
states:
  Sub: {type: task, activity: sub, resultPath: null, next: Go}
  Go: {type: wait, event: Go, match: {n: 2}, timeout: PT10S, timeoutNext: Done, resultPath: null, next: Done}
  Done: {type: succeed}
"""

_FAMILY = """
id: family
version: 1.0.0
startAt: Children
states:
  Children:
    type: parallel
    failure: failFast
    branches:
      one: {startAt: A, states: {A: {type: task, workflow: child, resultPath: null, end: true}}}
      two: {startAt: B, states: {B: {type: task, activity: ship, resultPath: null, end: true}}}
    resultPath: null
    end: true
"""

WORKFLOWS = (_CHILD, _GATHER, _WATCH, _FAMILY)
"""A child before what runs it."""
