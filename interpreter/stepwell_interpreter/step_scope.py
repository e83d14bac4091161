"""What the expressions of one step of an instance see: made per step from its draft, and dropped after it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stepwell_schemas.instance import Frame

from stepwell_interpreter.scope import MISSING, Scope

if TYPE_CHECKING:
    from stepwell_interpreter.draft import Draft


class StepScope(Scope):
    """The scope of one step. What most steps never look at is made only when it is asked for."""

    __slots__ = ("_draft", "_frame", "_purpose")

    def __init__(self, draft: "Draft", frame: Frame, purpose: str, item: Any, index: Any) -> None:
        self._draft = draft
        self._frame = frame
        self._purpose = purpose
        self.input = draft.instance.input
        self.state = draft.state_of(frame)
        self.item = item
        self.index = index
        self.event = self.result = MISSING
        self.error = MISSING if frame.error is None else frame.error
        self.counter = 0

    def spend(self, steps: int) -> None:
        self._draft.spend(steps)

    @property
    def system(self) -> Mapping[str, Any]:  # type: ignore[override]  # a field there, computed here
        return self._draft.system_of(self._frame)

    @property
    def seed(self) -> str:  # type: ignore[override]  # a field there, computed here
        return f"{self._draft.instance.seed}/{self._frame.visit}/{self._purpose}"
