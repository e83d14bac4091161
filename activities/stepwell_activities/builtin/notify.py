"""`notify`: tells people something, in the worker's log or through a webhook (under the rules of `http.request`)."""

import logging
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from stepwell_activities.builtin.http import HttpRequest, send
from stepwell_activities.context import ActivityContext
from stepwell_activities.decorator import activity


class Notification(BaseModel):
    """What `notify` takes. Without `webhook` the message goes to the log."""

    model_config = ConfigDict(extra="forbid")

    message: str = Field(min_length=1)
    level: Literal["debug", "info", "warning", "error"] = "info"
    data: Any = None
    webhook: str | None = None


class Delivery(BaseModel):
    """Where it went; `status` of a webhook."""

    channel: Literal["log", "webhook"]
    status: int | None = None


@activity("notify")
def notify(notification: Notification, context: ActivityContext) -> Delivery:
    """Send a message to the log, or as JSON to a webhook."""
    if notification.webhook is None:
        level = logging.getLevelNamesMapping()[notification.level.upper()]
        context.logger.log(level, "%s%s", notification.message, _details(notification.data, context))
        return Delivery(channel="log")
    body = {
        "message": notification.message,
        "level": notification.level,
        "data": notification.data,
        "instance": context.instance,
        "definition": context.definition,
        "device": context.device,
        "state": context.state,
    }
    call = HttpRequest(url=notification.webhook, method="POST", body=body, timeout_seconds=30)
    answer = send(call, context.settings, context.idempotency_key)
    return Delivery(channel="webhook", status=answer.status)


def _details(data: Any, context: ActivityContext) -> str:
    shown = "" if data is None else f" {data!r}"
    return f"{shown} (instance {context.instance}, state {context.state})"
