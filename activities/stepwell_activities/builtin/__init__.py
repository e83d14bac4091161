"""The activities that come with Stepwell. `builtin_registry()` has them all."""

from stepwell_activities.registry import Registry


def builtin_registry() -> Registry:
    """A new registry of all built-in activities."""
    from stepwell_activities.builtin import device, http, notify, records, workflow

    return Registry(
        [
            records.create,
            records.get,
            records.update,
            records.delete,
            device.events,
            device.clear,
            device.state,
            http.request,
            notify.notify,
            workflow.validate,
        ]
    )
