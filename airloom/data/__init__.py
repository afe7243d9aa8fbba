"""Data as steps see it: datastores, references to files on them, datasets, and outputs.

Names are those of `azureml.data`. They are imported on first use, so importing this package is cheap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airloom._lazy import lazy_exports

if TYPE_CHECKING:
    from airloom.data._output_tables import OutputTabularDatasetConfig
    from airloom.data.data_reference import DataReference
    from airloom.data.data_type import DataType
    from airloom.data.datapath import DataPath
    from airloom.data.dataset_consumption_config import DatasetConsumptionConfig
    from airloom.data.file_dataset import FileDataset
    from airloom.data.output_dataset_config import OutputFileDatasetConfig
    from airloom.data.sql_data_reference import SqlDataReference
    from airloom.data.tabular_dataset import TabularDataset

__all__ = [
    "DataPath",
    "DataReference",
    "DataType",
    "DatasetConsumptionConfig",
    "FileDataset",
    "OutputFileDatasetConfig",
    "OutputTabularDatasetConfig",
    "SqlDataReference",
    "TabularDataset",
]

__getattr__, __dir__ = lazy_exports(
    __name__,
    {
        "DataPath": "airloom.data.datapath",
        "DataReference": "airloom.data.data_reference",
        "DataType": "airloom.data.data_type",
        "DatasetConsumptionConfig": "airloom.data.dataset_consumption_config",
        "FileDataset": "airloom.data.file_dataset",
        "OutputFileDatasetConfig": "airloom.data.output_dataset_config",
        "SqlDataReference": "airloom.data.sql_data_reference",
        "OutputTabularDatasetConfig": "airloom.data._output_tables",
        "TabularDataset": "airloom.data.tabular_dataset",
    },
)
