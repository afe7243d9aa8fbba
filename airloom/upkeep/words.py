"""What damage of each kind means for users, and what they can do about it."""

from __future__ import annotations

from typing import NamedTuple


class Words(NamedTuple):
    """What follows from damage, and how it is mended."""

    means: str
    mend: str


WORDS = {
    "record": Words(
        "It is never believed: the step it belongs to runs again.",
        "Nothing has to be done; --quarantine puts it aside.",
    ),
    "record of a pipeline": Words(
        "It is never believed: the next unchanged run looks at each step instead.",
        "Nothing has to be done; --quarantine puts it aside.",
    ),
    "remembered attempt": Words(
        "Explanations cannot compare with this attempt.",
        "Nothing has to be done; --quarantine puts it aside.",
    ),
    "output": Words(
        "It is never reused: the step that made it runs again. Who reads the files by their path gets other bytes than "
        "the run has written.",
        "Run the pipeline again for a new output. If other programs may have used these files, find out what wrote to "
        "them.",
    ),
    "source folder": Words(
        "Steps with this source folder fail.",
        "Use --quarantine, then submit the pipeline again, which uploads what is missing.",
    ),
    "source file": Words(
        "Steps whose source folder holds this file fail.",
        "Use --quarantine, then submit the pipeline again, which uploads what is missing.",
    ),
    "pipeline": Words(
        "Airflow cannot build its DAG: it cannot be run, and its runs cannot be shown.",
        "Use --quarantine, then submit the pipeline again.",
    ),
    "schedule": Words(
        "Airflow cannot build its DAG: it does not fire.",
        "Start the server anew, or update the schedule: both write it anew from the database.",
    ),
    "index": Words(
        "Airflow does not show the pipelines that it should list, or complains about one that is gone.",
        "--quarantine writes the index anew from the pipelines that are stored.",
    ),
    "datastore": Words(
        "Steps that read or write on this datastore fail.",
        "--quarantine writes the configuration anew from what is registered; else register the datastore again.",
    ),
}
