"""One chaos run: a whole system under load, kills by a seed, then everything drained and checked.

`bench/chaos.py` runs it for minutes, `test_chaos.py` for seconds. Nothing it reports comes from the system's own
counters except the rate at which events were applied.
"""

import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import orjson
from end_to_end.chaos_activities import Bodies
from end_to_end.chaos_check import Audit
from end_to_end.chaos_kills import Killer, role_of
from end_to_end.chaos_load import HttpDoor
from end_to_end.harness import System
from end_to_end.process import stepwell_command
from end_to_end.steady_load import SteadyLoad, loaded_system

ENGINE_LEASE_SECONDS = 5.0
WORKER_LEASE_SECONDS = 10.0
TAKEOVER_SECONDS = 5.0
REDO_SECONDS = WORKER_LEASE_SECONDS + 5.0
DRAIN_SECONDS = 600.0
LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to be. `rate` None takes half of the rate that is measured before the kills begin."""

    seconds: float
    seed: int
    devices: int = 400
    rate: float | None = None
    pause_seconds: tuple[float, float] = (1.0, 6.0)
    calibration_seconds: float = 10.0
    checkers: int = 2
    say: Callable[[str], None] = lambda text: None


@dataclass(slots=True)
class Report:
    """What came of a run."""

    plan: Plan
    peak: float = 0.0
    rate: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)
    audit: Audit = field(default_factory=Audit)
    acknowledged: int = 0
    chaos_seconds: float = 0.0
    drain_seconds: float = 0.0
    applied_per_second: float = 0.0
    """While kills went on."""
    resent: int = 0
    refused: int = 0
    stalled_seconds: float = 0.0
    activities: int = 0
    bodies: int = 0
    takeovers: list[float] = field(default_factory=list)
    takeovers_all: list[float] = field(default_factory=list)
    redone: list[float] = field(default_factory=list)
    redone_all: list[float] = field(default_factory=list)
    ended_by_themselves: list[str] = field(default_factory=list)
    """Processes that nobody had killed, with their last words. A supervisor starts them again."""
    faults: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """As people read it."""
        return [
            f"seed {self.plan.seed}: {self.chaos_seconds:.0f} s under kills, then {self.drain_seconds:.0f} s to drain",
            f"kills                      {sum(self.kills.values())} ({_counted(self.kills)})",
            f"peak before, rate pushed   {self.peak:,.0f} and {self.rate:,.0f} events/s",
            f"applied under kills        {self.applied_per_second:,.0f} events/s",
            f"events acknowledged        {self.acknowledged:,}; checked {self.audit.events:,}",
            f"lost / applied twice       {self.audit.lost} / {self.audit.twice}",
            f"sent again / recognised    {self.resent:,} / {self.audit.duplicates:,}",
            f"longest wait of a sender   {self.stalled_seconds:.1f} s; told to come again {self.refused} times",
            f"activities / bodies run    {self.activities:,} / {self.bodies:,} "
            f"({self.bodies - self.activities} ran twice)",
            f"partition taken over       {_spread(self.takeovers)}; beside other kills {_spread(self.takeovers_all)}",
            f"activity begun again       {_spread(self.redone)}; beside other kills {_spread(self.redone_all)}",
            f"history entries replayed   {self.audit.replayed:,}",
            f"ended by themselves        {len(self.ended_by_themselves)}",
            *(f"  {words}" for words in self.ended_by_themselves[:20]),
            f"faults                     {len(self.faults)}",
            *(f"  {fault}" for fault in self.faults[:50]),
        ]


def run(plan: Plan) -> Report:
    """Run it. What is wrong is in the report's `faults`."""
    report = Report(plan)
    with tempfile.TemporaryDirectory(prefix="sw-chaos-") as folder:
        system = loaded_system(
            Path(folder),
            engines=2,
            workers=2,
            worker_command=stepwell_command("worker", "--concurrency", "4"),
            engine_lease_seconds=str(ENGINE_LEASE_SECONDS),
            worker_lease_seconds=str(WORKER_LEASE_SECONDS),
            partitions="8",
            log_level="warning",
        )
        rate = plan.rate or float("inf")
        with system, SteadyLoad(system, plan.devices, rate, plan.seed) as load:
            _Run(plan, report, system, load).run()
    return report


class _Run:
    def __init__(self, plan: Plan, report: Report, system: System, load: SteadyLoad) -> None:
        self._plan, self._report, self._system, self._load = plan, report, system, load
        self._never = threading.Event()

    def run(self) -> None:
        self._set_rate()
        killer = self._kill()
        began = time.monotonic()
        self._load.finish(DRAIN_SECONDS)
        self._report.drain_seconds = time.monotonic() - began
        self._plan.say("checking")
        self._check(killer)

    def _set_rate(self) -> None:
        """Push as fast as it goes for a while, see how fast it is applied, go on with half of that."""
        plan, report, load = self._plan, self._report, self._load
        if plan.rate is None:
            began = time.monotonic()
            self._never.wait(plan.calibration_seconds)
            # The backlog counts too, so that the doors' own speed is no part of the peak.
            load.rate = 100.0
            pushed = load.acknowledged()
            load.wait_until_applied(pushed, 300)
            report.peak = pushed / (time.monotonic() - began)
            load.rate = report.peak / 2
        report.rate = load.rate
        plan.say(f"peak {report.peak:,.0f} events/s, pushing {load.rate:,.0f}")

    def _kill(self) -> Killer:
        plan, report, load = self._plan, self._report, self._load
        killer = Killer(self._system, plan.seed, plan.pause_seconds)
        over = threading.Event()
        thread = threading.Thread(target=killer.run, args=[over], daemon=True)
        began, applied = time.monotonic(), load.applied()
        thread.start()
        while time.monotonic() < began + plan.seconds and killer.error is None:
            self._never.wait(LOOK_SECONDS)
            self._note_the_dead(killer)
            load.check_senders()
        report.chaos_seconds = time.monotonic() - began
        over.set()
        thread.join()
        if killer.error is not None:
            raise killer.error
        report.applied_per_second = (load.applied() - applied) / (time.monotonic() - began)
        report.kills.update(role_of(kill.target) for kill in killer.kills)
        plan.say(f"{len(killer.kills)} kills, {load.acknowledged():,} events; draining")
        return killer

    def _note_the_dead(self, killer: Killer) -> None:
        """A process that ends although nobody killed it is started again, as a supervisor does, and its words kept."""
        dead = [name for name, process in self._system.processes.items() if not process.alive]
        away = {kill.target for kill in killer.kills if kill.back_seconds is None}
        for name in dead:
            if name not in away and not self._system.processes[name].alive:
                self._report.ended_by_themselves.append(f"{name}: {self._system.processes[name].tail(4)}")
                self._system.processes[name].start()

    def _check(self, killer: Killer) -> None:
        report = self._report
        senders = self._load.senders
        report.acknowledged = self._load.acknowledged()
        report.audit = self._load.audit(self._plan.checkers)
        report.resent = sum(sender.resent for sender in senders)
        report.refused = sum(sender.door.refused for sender in senders if isinstance(sender.door, HttpDoor))
        report.stalled_seconds = max(sender.stalled_seconds for sender in senders)
        report.takeovers, report.takeovers_all = killer.undisturbed("engine"), killer.recoveries("engine")
        report.redone, report.redone_all = killer.undisturbed("worker"), killer.recoveries("worker")
        report.faults += report.audit.faults
        report.faults += self._check_bodies()
        report.faults += self._check_times(killer)
        report.faults += self._doctor()

    def _check_bodies(self) -> list[str]:
        """Each activity ran at least once, under one key each, with its own amount."""
        run = Bodies(Path(self._system.environment["CHAOS_BODIES"])).look()
        keys = {(body.device, body.amount): body.key for body in run}
        wanted = {(device.name, n) for device in self._load.devices for n in device.booked()}
        self._report.activities, self._report.bodies = len(wanted), len(run)
        faults = [f"no body ran for {name}, {n}" for name, n in sorted(wanted - keys.keys())]
        faults += [
            f"a body ran for {name}, {n}, which nobody asked for" for name, n in sorted(keys.keys() - wanted)
        ]
        if len({body.key for body in run}) != len(keys):
            faults.append("one activity ran under two keys")
        return faults

    def _check_times(self, killer: Killer) -> list[str]:
        report = self._report
        faults = [f"not recovered: {what}" for what in killer.unrecovered()]
        if report.takeovers and report.takeovers[-1] > TAKEOVER_SECONDS:
            faults.append(
                f"a partition was taken over after {report.takeovers[-1]:.1f} s, not {TAKEOVER_SECONDS:g}"
            )
        if report.redone and report.redone[-1] > REDO_SECONDS:
            faults.append(
                f"an activity was begun again after {report.redone[-1]:.1f} s, not {REDO_SECONDS:g}"
            )
        return faults

    def _doctor(self) -> list[str]:
        environment = self._system.processes["api"].environment
        command = stepwell_command("doctor", "--json")
        done = subprocess.run(command, env=environment, capture_output=True, timeout=300, check=False)
        try:
            findings = orjson.loads(done.stdout)["findings"]
        except (orjson.JSONDecodeError, KeyError):
            return [f"doctor failed ({done.returncode}): {done.stderr.decode(errors='replace')[-500:]}"]
        return [f"doctor: {finding['kind']}: {finding['message']}" for finding in findings]


def _spread(values: list[float]) -> str:
    if not values:
        return "none"
    return f"{len(values)}: p50 {values[len(values) // 2]:.1f} s, longest {values[-1]:.1f} s"


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
