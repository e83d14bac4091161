"""What users of Stepwell import. Nothing is loaded before it is asked for, so that this import costs nothing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stepwell_activities.context import ActivityContext, current_context
    from stepwell_activities.decorator import activity
    from stepwell_activities.errors import ActivityCancelled, ActivityError, NonRetryable

    __version__: str

__all__ = [
    "ActivityCancelled",
    "ActivityContext",
    "ActivityError",
    "NonRetryable",
    "__version__",
    "activity",
    "current_context",
]

_HOMES = {
    "ActivityCancelled": "stepwell_activities.errors",
    "ActivityContext": "stepwell_activities.context",
    "ActivityError": "stepwell_activities.errors",
    "NonRetryable": "stepwell_activities.errors",
    "activity": "stepwell_activities.decorator",
    "current_context": "stepwell_activities.context",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("stepwell")
    if name not in _HOMES:
        raise AttributeError(f"module 'stepwell' has no attribute {name!r}; it has {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
