"""One transfer by one client of Blob Storage, in a process of its own: `python -m benchmarks.blob_clients SPEC`.

SPEC is JSON: client, action, account, key, endpoint, container and folder. Prints the seconds that the transfer took,
and the peak of the memory of the process. Every client moves large files in as many blocks at a time as the others,
and so many small files at a time.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.support.peak_memory import peak_bytes

BLOCK = 8 * 1024 * 1024
BLOCKS_AT_ONCE = 8
FILES_AT_ONCE = 16

Actions = dict[str, Callable[[], object]]


def airloom(spec: dict[str, str], folder: Path) -> Actions:
    """Publishing and fetching as a step does: digests, a marker, and a check of what has arrived."""
    from airloom.storage.azure_datastore import AzureBlobDatastore
    from airloom.storage.datastore_config import AzureBlobConfig
    from airloom.storage.datastores import Download
    from airloom.storage.secrets import EnvironmentSecrets

    os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps({"login": spec["account"], "password": spec["key"]})
    place = {name: spec[name] for name in ("account", "container", "endpoint")}
    config = AzureBlobConfig(name="benchmark", connection="benchmark", **place)
    store = AzureBlobDatastore(config, EnvironmentSecrets())

    def fetch(path: str) -> None:
        files = [Download(info, folder / "back" / info.path) for info in store.list(path)]
        store.fetch(files, lambda info: None)

    return {
        "upload one": lambda: store.publish(folder / "one", "one"),
        "download one": lambda: fetch("one"),
        "upload many": lambda: store.publish(folder / "many", "many"),
        "download many": lambda: fetch("many"),
    }


def azure(spec: dict[str, str], folder: Path) -> Actions:
    """azure-storage-blob used directly."""
    from azure.storage.blob import ContainerClient

    client = ContainerClient(
        spec["endpoint"],
        spec["container"],
        credential=spec["key"],
        max_block_size=BLOCK,
        max_single_put_size=BLOCK,
        max_chunk_get_size=BLOCK,
        max_single_get_size=BLOCK,
    )

    def upload(name: str) -> None:
        with (folder / name).open("rb") as file:
            client.upload_blob(name, file, max_concurrency=BLOCKS_AT_ONCE)

    def download(name: str) -> None:
        with _new(folder / "back" / name).open("wb") as file:
            client.download_blob(name, max_concurrency=BLOCKS_AT_ONCE).readinto(file)

    return {
        "upload one": lambda: upload("one"),
        "download one": lambda: download("one"),
        "upload many": lambda: _at_once(upload, _names(folder)),
        "download many": lambda: _at_once(download, list(client.list_blob_names(name_starts_with="many/"))),
    }


def obstore(spec: dict[str, str], folder: Path) -> Actions:
    """obstore used directly."""
    import obstore
    from obstore.store import AzureStore

    store = AzureStore(
        spec["container"],
        account_name=spec["account"],
        account_key=spec["key"],
        endpoint=spec["endpoint"],
        client_options={"allow_http": True},
    )

    def upload(name: str) -> None:
        obstore.put(store, name, folder / name, chunk_size=BLOCK, max_concurrency=BLOCKS_AT_ONCE)

    def download(name: str) -> None:
        with _new(folder / "back" / name).open("wb") as file:
            for chunk in obstore.get(store, name).stream(BLOCK):
                file.write(chunk)

    return {
        "upload one": lambda: upload("one"),
        "download one": lambda: download("one"),
        "upload many": lambda: _at_once(upload, _names(folder)),
        "download many": lambda: _at_once(
            download, [meta["path"] for page in obstore.list(store, "many") for meta in page]
        ),
    }


def adlfs(spec: dict[str, str], folder: Path) -> Actions:
    """adlfs, which is what fsspec has for Blob Storage."""
    from adlfs import AzureBlobFileSystem

    store = AzureBlobFileSystem(
        connection_string=f"AccountName={spec['account']};AccountKey={spec['key']};BlobEndpoint={spec['endpoint']};",
        max_concurrency=BLOCKS_AT_ONCE,
        blocksize=BLOCK,
    )
    root = spec["container"]
    return {
        "upload one": lambda: store.put_file(str(folder / "one"), f"{root}/one"),
        "download one": lambda: store.get_file(f"{root}/one", str(_new(folder / "back" / "one"))),
        "upload many": lambda: store.put(f"{folder}/many/", f"{root}/many/", recursive=True, batch_size=FILES_AT_ONCE),
        "download many": lambda: store.get(
            f"{root}/many/", f"{folder}/back/many/", recursive=True, batch_size=FILES_AT_ONCE
        ),
    }


CLIENTS: dict[str, Callable[[dict[str, str], Path], Actions]] = {
    "airloom": airloom,
    "azure-storage-blob": azure,
    "obstore": obstore,
    "adlfs": adlfs,
}


def _names(folder: Path) -> list[str]:
    return [f"many/{name}" for name in os.listdir(folder / "many")]


def _at_once(transfer: Callable[[str], None], names: list[str]) -> None:
    with ThreadPoolExecutor(FILES_AT_ONCE) as pool:
        list(pool.map(transfer, names))


def _new(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def main() -> None:
    """Do what the only argument says."""
    spec: dict[str, Any] = json.loads(sys.argv[1])
    action = CLIENTS[spec["client"]](spec, Path(spec["folder"]))[spec["action"]]
    start = time.perf_counter()
    action()
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "peak_mb": peak_bytes() / 1e6}))


if __name__ == "__main__":
    main()
