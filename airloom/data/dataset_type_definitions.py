"""Words for how tables are read, under the names of `azureml.data.dataset_type_definitions`."""

from __future__ import annotations

from enum import Enum


class PromoteHeadersBehavior(Enum):
    """Where delimited files have the names of their columns."""

    NO_HEADERS = 0
    ONLY_FIRST_FILE_HAS_HEADERS = 1
    COMBINE_ALL_FILES_HEADERS = 2
    ALL_FILES_HAVE_SAME_HEADERS = 3
