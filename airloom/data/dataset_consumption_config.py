"""How a dataset, or an output of another step, reaches a script."""

from __future__ import annotations

from typing import Any

from airloom.core._compat import not_yet
from airloom.core._names import DATA_INPUT, check_name
from airloom.exceptions import UserErrorException

DIRECT_MODE = "direct"
MOUNT_MODE = "mount"
DOWNLOAD_MODE = "download"


class DatasetConsumptionConfig:
    """A named input: the data, and a mode.

    `dataset` is a file or tabular dataset, an OutputFileDatasetConfig of another step, or a PipelineParameter whose
    value is a dataset. Mode `mount` gives the script a path to the data where it lies, `download` a path to a copy,
    and `direct` the dataset itself, in `Run.get_context().input_datasets[name]`.
    """

    def __init__(self, name: str, dataset: Any, mode: str = DIRECT_MODE, path_on_compute: str | None = None) -> None:
        self._name = check_name(name, DATA_INPUT)
        if dataset is None:
            raise UserErrorException(f"The input {name!r} needs a dataset.")
        if mode not in (DIRECT_MODE, MOUNT_MODE, DOWNLOAD_MODE):
            raise UserErrorException(f"The mode of the input {name!r} must be direct, mount or download, not {mode!r}.")
        self.dataset = dataset
        self.mode = mode
        self.path_on_compute = path_on_compute
        self._refuse_table_as_files()

    @property
    def name(self) -> str:
        """Name of the input; the script finds it under this name."""
        return self._name

    def as_mount(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same input as a path to the data where it lies."""
        return DatasetConsumptionConfig(self._name, self.dataset, MOUNT_MODE, path_on_compute)

    def as_download(self, path_on_compute: str | None = None) -> DatasetConsumptionConfig:
        """The same input as a path to a copy that belongs to the step."""
        return DatasetConsumptionConfig(self._name, self.dataset, DOWNLOAD_MODE, path_on_compute)

    def as_hdfs(self) -> DatasetConsumptionConfig:
        """Raises UserErrorException: there are no Spark pools to read with."""
        raise not_yet("The HDFS mode of inputs", "Use as_mount() or as_download().")

    def _refuse_table_as_files(self) -> None:
        from airloom.data._output_tables import OutputTabularDatasetConfig
        from airloom.data.tabular_dataset import TabularDataset

        if self.mode != DIRECT_MODE and isinstance(self.dataset, TabularDataset | OutputTabularDatasetConfig):
            raise UserErrorException(
                f"The input {self._name!r} is a tabular dataset, which can only be passed directly: leave out "
                "as_mount() and as_download(), and read it with Run.get_context().input_datasets"
                f"[{self._name!r}].to_pandas_dataframe(). For its files, use a Dataset.File of the same path, or the "
                "output itself."
            )

    def __repr__(self) -> str:
        return f"DatasetConsumptionConfig({self._name!r}, {self.dataset!r}, mode={self.mode!r})"
