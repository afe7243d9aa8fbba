"""Files that the values of a column name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from airloom.data._clean import clean_path
from airloom.data._paths import StoredPath
from airloom.data.abstract_datastore import AbstractDatastore
from airloom.data.file_dataset import FileDataset
from airloom.exceptions import UserErrorException

_URI = re.compile(r"(?:AmlDatastore://|azureml://(?:.*/)?datastores/)(?P<store>[^/]+)(?:/paths)?/(?P<path>.+)")


def named_files(home: AbstractDatastore, values: Sequence[str], ignore_not_found: bool) -> FileDataset | None:
    """The files that the values name; None if there is none. Paths without a datastore lie on `home`."""
    places = [_place(home, str(value)) for value in values]
    found = [place for place in places if not ignore_not_found or _is_there(place)]
    return FileDataset(tuple(found)) if found else None


def _place(home: AbstractDatastore, value: str) -> StoredPath:
    uri = _URI.fullmatch(value)
    if uri is None:
        if "://" in value:
            raise UserErrorException(f"{value!r} is not on a datastore. Write AmlDatastore://datastore/path.")
        return StoredPath(home, clean_path(value, "A value of the column"))
    stores = home.workspace.datastores
    if uri["store"] not in stores:
        raise UserErrorException(f"{value!r}: the workspace has no datastore {uri['store']!r}.")
    return StoredPath(stores[uri["store"]], clean_path(uri["path"], "A value of the column"))


def _is_there(place: StoredPath) -> bool:
    store = place.datastore
    return bool(store._client.list_files(store.workspace.name, store.name, place.path))
