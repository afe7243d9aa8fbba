"""What callers send. Names are those of the original service, in any case of letters, as it reads them itself."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.alias_generators import to_pascal

from airloom.graph.model import ReuseMode, Scalar
from airloom.graph.suggest import did_you_mean


class Wire(BaseModel):
    """Base of all that travels: PascalCase in JSON, snake_case in Python."""

    model_config = ConfigDict(alias_generator=to_pascal, populate_by_name=True)


class Asked(Wire):
    """Base of what callers send: a field that is not known is an error, as it would have no effect."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _names_in_any_case(cls, data: Any) -> Any:
        """The fields under their own names. Raises ValueError if one is unknown or given twice."""
        if not isinstance(data, dict):
            return data
        known = {str(field.alias).lower(): str(field.alias) for field in cls.model_fields.values()}
        named: dict[str, Any] = {}
        for given, value in data.items():
            name = known.get(str(given).lower())
            if name is None:
                raise ValueError(
                    f"there is no field {given[:80]!r}. {did_you_mean(given[:80], known.values())}".strip()
                )
            if name in named:
                raise ValueError(f"the field {name!r} is given twice")
            named[name] = value
        return named


class LegacyDataPath(Asked):
    """A path on a datastore."""

    data_store_name: StrictStr
    relative_path: StrictStr = ""


class SavedDataSetReference(Asked):
    """A dataset by the id that it was saved under."""

    id: StrictStr


class DataSetReference(Asked):
    """A registered dataset, by id or name, and version."""

    id: StrictStr | None = None
    name: StrictStr | None = None
    version: StrictStr | StrictInt | None = None


class DataSetDefinitionValue(Asked):
    """A dataset: exactly one of the three ways to name it."""

    saved_data_set_reference: SavedDataSetReference | None = None
    data_set_reference: DataSetReference | None = None
    literal_value: LegacyDataPath | None = None


class PipelineSubmissionInfo(Asked):
    """A run that is asked for. Without an experiment it is that of the pipeline.

    `Reuse` is new: `auto`, `off` or `refresh`. `RunType`, `ScheduleId`, `EnableNotification` and
    `CredentialPassthrough` are taken as callers send them, and have no effect.
    """

    experiment_name: StrictStr | None = None
    display_name: StrictStr | None = Field(default=None, max_length=255)
    description: StrictStr | None = None
    run_source: StrictStr | None = None
    run_type: StrictStr | StrictInt | None = None
    parameter_assignments: dict[str, Scalar] | None = None
    data_path_assignments: dict[str, LegacyDataPath] | None = None
    data_set_definition_value_assignments: dict[str, DataSetDefinitionValue] | None = None
    schedule_id: StrictStr | None = None
    continue_run_on_step_failure: StrictBool | None = None
    enable_notification: StrictBool | None = None
    credential_passthrough: StrictBool | None = None
    reuse: ReuseMode = "auto"
    tags: dict[str, StrictStr] | None = Field(default=None, alias="tags")
    properties: dict[str, StrictStr] | None = None
