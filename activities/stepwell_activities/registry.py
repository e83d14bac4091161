"""The activities of one process: found by explicit discovery, checked once, then looked up by name.

Two functions with one name are an error that names both files; so is a type that JSON cannot carry.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import TypeAdapter, ValidationError
from stepwell_schemas.catalog import ActivityDescription
from stepwell_schemas.states import RetryPolicy
from stepwell_schemas.words import ActivityName
from stepwell_store.protocol import Store

from stepwell_activities.decorator import ActivityOptions, options_of
from stepwell_activities.errors import DiscoveryError, DuplicateActivity, InvalidActivity
from stepwell_activities.signature import Signature, signature_of

ENTRY_POINTS = "stepwell.activities"


@dataclass(frozen=True, slots=True)
class Activity:
    """An activity that this process can run. `where` is "file:line"."""

    name: str
    function: Callable[..., Any]
    is_async: bool
    options: ActivityOptions
    signature: Signature
    where: str

    def description(self) -> ActivityDescription:
        """What is published of it."""
        options = self.options
        text = options.description if options.description is not None else _first_paragraph(self.function)
        return ActivityDescription(
            name=self.name,
            queue=options.queue,
            description=text,
            input_schema=self.signature.input_schema,
            output_schema=self.signature.output_schema,
            compensates=options.compensates,
            timeout_seconds=options.timeout_seconds,
            heartbeat_seconds=options.heartbeat_seconds,
            retry=None if options.retry is None else dict(options.retry),
            module=self.function.__module__,
        )


class Registry:
    """Activities by name."""

    def __init__(self, functions: Iterable[Callable[..., Any]] = ()) -> None:
        self._activities: dict[str, Activity] = {}
        for function in functions:
            self.add(function)

    def add(self, function: Callable[..., Any]) -> Activity:
        """Add a marked function; the same one again changes nothing. Raises InvalidActivity, DuplicateActivity."""
        activity = _checked(function)
        there = self._activities.get(activity.name)
        if there is None:
            self._activities[activity.name] = activity
            return activity
        if there.function is function or there.where == activity.where:
            return there
        raise DuplicateActivity(
            f"activity '{activity.name}' is defined twice: {there.where} and {activity.where}. "
            "Give one of them another name: @activity('...')"
        )

    def get(self, name: str) -> Activity | None:
        """The activity of that name."""
        return self._activities.get(name)

    def names(self) -> list[str]:
        """All names, sorted."""
        return sorted(self._activities)

    def queues(self) -> list[str]:
        """The queues that the activities ask for, sorted."""
        return sorted({activity.options.queue for activity in self})

    def __iter__(self) -> Iterator[Activity]:
        return iter(self._activities.values())

    def __len__(self) -> int:
        return len(self._activities)

    def __contains__(self, name: object) -> bool:
        return name in self._activities

    def include(self, other: "Registry") -> "Registry":
        """Add all of another registry's activities. Returns itself."""
        for activity in other:
            self.add(activity.function)
        return self


def discover(modules: Sequence[str] = (), entry_point_group: str | None = ENTRY_POINTS) -> Registry:
    """The activities of the named modules ("package.module" or "path/to/file.py") and of installed entry points.

    Raises DiscoveryError where one cannot be imported, InvalidActivity and DuplicateActivity as `Registry.add`.
    """
    registry = Registry()
    for name in modules:
        _add_module(registry, _imported(name))
    if entry_point_group is not None:
        for point in sorted(entry_points(group=entry_point_group), key=lambda point: point.name):
            _add_entry_point(registry, f"{point.name} = {point.value}", point.load)
    return registry


def publish(registry: Registry, store: Store) -> list[ActivityDescription]:
    """Publish all descriptions, so that definitions can be checked against them. Returns them."""
    descriptions = [activity.description() for activity in registry]
    if descriptions:
        store.publish_activities(descriptions)
    return descriptions


def _add_entry_point(registry: Registry, shown: str, load: Callable[[], Any]) -> None:
    try:
        found = load()
    except (Exception, SystemExit) as error:  # a module that ends the process is no reason to end well
        raise DiscoveryError(f"entry point '{shown}' cannot be loaded: {_why(error)}") from error
    if isinstance(found, ModuleType):
        _add_module(registry, found)
    elif isinstance(found, Registry):
        registry.include(found)
    elif options_of(found) is not None:
        registry.add(found)
    else:
        raise DiscoveryError(f"entry point '{shown}' must name a module, a Registry or an @activity function")


def _add_module(registry: Registry, module: ModuleType) -> None:
    for candidate in list(vars(module).values()):
        if inspect.isroutine(candidate) and options_of(candidate) is not None:
            registry.add(candidate)


def _imported(name: str) -> ModuleType:
    try:
        if name.endswith(".py"):
            return _imported_file(Path(name))
        here = str(Path.cwd())
        if here not in sys.path and "" not in sys.path:
            sys.path.insert(
                0, here
            )  # a console script, unlike `python -m`, does not see the project's folder
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise DiscoveryError(f"activity module '{name}' cannot be imported: {_why(error)}") from error


def _imported_file(path: Path) -> ModuleType:
    """Imported like a script: under its own name, with its folder on the path."""
    path = path.resolve()
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    loaded = sys.modules.get(path.stem)
    if loaded is not None and getattr(loaded, "__file__", None) == str(path):
        return loaded
    name = path.stem if loaded is None else f"{path.parent.name}_{path.stem}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _checked(function: Callable[..., Any]) -> Activity:
    where = _where(function)
    options = options_of(function)
    if options is None:
        raise InvalidActivity(f"{where}: {function!r} is not marked with @activity")
    name = options.name if options.name is not None else function.__name__
    _check_name(name, where, "name")
    where_named = f"{where}: activity '{name}'"
    if options.compensates is not None:
        _check_name(options.compensates, where_named, "compensates")
    if not options.queue or not all(part.isalnum() or part in "._-" for part in options.queue):
        raise InvalidActivity(
            f"{where_named}: queue {options.queue!r} may have letters, digits and . _ - only"
        )
    if options.retry is not None:
        try:
            RetryPolicy.model_validate(options.retry)
        except ValidationError as error:
            first = error.errors()[0]
            pointer = "/".join(str(part) for part in first["loc"])
            raise InvalidActivity(f"{where_named}: retry /{pointer}: {first['msg']}") from error
    signature = signature_of(function, where_named)
    return Activity(name, function, inspect.iscoroutinefunction(function), options, signature, where)


def _check_name(name: object, where: str, what: str) -> None:
    try:
        TypeAdapter(ActivityName).validate_python(name, strict=True)
    except ValidationError as error:
        raise InvalidActivity(
            f"{where}: {what} {name!r} is not an activity's name: letters, digits and . _ : / - (up to 256)"
        ) from error


def _where(function: Callable[..., Any]) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code is not None else repr(function)


def _why(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it ends the process when it is imported (sys.exit({error.code!r}))"
    return f"{type(error).__name__}: {error}"


def _first_paragraph(function: Callable[..., Any]) -> str:
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split())
