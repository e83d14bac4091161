"""What may be said beside an upload, apart from the models of what is uploaded: a sender need not load those."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class UploadSettings:
    """What is said beside an upload; each goes before what an envelope says."""

    id: str | None = None
    version: str | None = None
    type: str | None = None
    resources: Mapping[str, str] | None = None
    anonymous: bool = False
    """Whether a definition without an envelope needs no id and no version, as nothing is stored."""

    @property
    def says_any(self) -> bool:
        """Whether anything is said."""
        return any(part is not None for part in (self.id, self.version, self.type, self.resources))
