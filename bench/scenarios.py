"""Scenarios per second: `stepwell test` in one process and in several, beside a plain loop of the same decisions.

    python bench/scenarios.py [--scenarios 1000] [--jobs 2]

The plain loop applies the very records of these scenarios with `decide` and does nothing else: no files, no clock, no
mocks, no expectations. What is above it is the price of a test.
"""

import argparse
import tempfile
import time
from pathlib import Path

from stepwell.scenario_files import Suite, open_suite
from stepwell_cli.scenario_pool import run_files
from stepwell_interpreter.decide import decide
from stepwell_interpreter.program import Program
from stepwell_interpreter.scenarios.footprint import Footprint
from stepwell_interpreter.scenarios.running import Runner
from stepwell_interpreter.simulation import world as worlds
from stepwell_schemas.instance import Instance
from stepwell_schemas.records import Record

SHIPPED = Path(__file__).parent.parent / "workflows"
PER_FILE = 250
TEMPLATE = """
  - name: scenario {number}
    start: {{type: DeviceSeen, data: {{orderId: o-{number}}}}}
    device: d-{number}
    tasks:
      CreateRecord:
        output:
          {{recordId: r-{number}, recordType: onboarding, data: {{}}, revision: 1, createdAt: now, updatedAt: now}}
      Register: {{output: {{device: d-{number}, record: r-{number}}}}}
      CreateRoute: [{{error: Busy, cause: try again}}, {{output: {{device: d-{number}}}}}]
      Activate: {{output: {{device: d-{number}}}}}
    events:
      - {{at: PT1M, type: Telemetry, data: {{celsius: 21}}}}
      - {{at: PT5M, type: ExternalProcessComplete, data: {{orderId: o-{number}}}}}
    expect:
      status: succeeded
      output: {{record: r-{number}, events: 3}}
      path: [CreateRecord, ..., Provision, {{hub: [Register], route: [CreateRoute]}}, Activate, Done]
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenarios", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        suites = _suites(Path(folder), given.scenarios)
        files = [Path(suite.file) for suite in suites]
        for jobs in (1, given.jobs):
            begun = time.perf_counter()
            results = [result for each in run_files(files, (), None, jobs) for result in each.results]
            seconds = time.perf_counter() - begun
            assert all(result.verdict == "passed" for result in results), results[0].explanation()
            print(
                f"stepwell test, {jobs} process(es), reading included: {seconds:.2f} s, "
                f"{len(results) / seconds:,.0f} scenarios/s"
            )
    records = [entry for suite in suites for entry in _records(suite)]
    begun = time.perf_counter()
    for program, before, record in records:
        decide(program, before, record)
    seconds = time.perf_counter() - begun
    rate = given.scenarios / seconds
    print(f"decide alone, the same {len(records):,} records: {seconds:.2f} s, {rate:,.0f} scenarios/s")


def _suites(folder: Path, count: int) -> list[Suite]:
    """The shipped workflow with so many scenarios, in files of its own: one file has room for some hundreds."""
    (folder / "workflow.yaml").write_text((SHIPPED / "device-onboarding.yaml").read_text())
    head = "definition: workflow.yaml\nactivities: [stepwell_cli.demo_activities]\ntests:"
    suites = []
    for start in range(0, count, PER_FILE):
        items = "".join(
            TEMPLATE.format(number=number) for number in range(start, min(count, start + PER_FILE))
        )
        file = folder / f"workflow-{start}.tests.yaml"
        file.write_text(head + items)
        suites.append(open_suite(file))
        assert suites[-1].usable, suites[-1].problems
    return suites


def _records(suite: Suite) -> list[tuple[Program, Instance, Record]]:
    """Every decision that the scenarios lead to."""
    assert suite.compiled is not None
    assert suite.compiled.program is not None
    runner = Runner(suite.compiled.program, suite.compiled.loaded.document or {})
    found: list[tuple[Program, Instance, Record]] = []

    def note(applied: worlds.Applied) -> None:
        found.append((applied.program, applied.before, applied.record))

    for scenario in suite.scenarios.scenarios:
        runner.play(scenario, Footprint(runner.program, runner.parts), observers=[note])
    return found


if __name__ == "__main__":
    main()
