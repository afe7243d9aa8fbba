"""What all parts of a graph are made of."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, StrictBool, StrictFloat, StrictInt, StrictStr

Scalar = StrictBool | StrictInt | StrictFloat | StrictStr


class Model(BaseModel):
    """Base of all parts of a graph: immutable, and unknown keys are errors rather than silently dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid")
