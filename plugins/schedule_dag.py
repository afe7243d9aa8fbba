"""The DAG of a schedule: one task, which starts runs of the pipeline, and the timetable that tells when.

A disabled schedule keeps its DAG, with a timetable that never fires. It is not paused: Airflow fires a paused DAG for
what it missed as soon as it goes on, and pausing is left to those who look after Airflow, who may hold any DAG by it.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import DAG, Asset, AssetWatcher

from airloom.operators.trigger_pipeline import TriggerPipelineOperator
from airloom.operators.triggers.folder_changes import FolderChangesTrigger
from airloom.plugins.timetables import RecurrenceTimetable
from airloom.storage.schedules import ScheduleDocument

TAG = "airloom"
TASK = "trigger"
SHORTEST_INTERVAL = 1 / 60
"""In minutes. To look more often than once a second would keep the triggerer from its other work."""
_DOC = (
    "Starts runs of a published pipeline. **Skipped** means that nothing was started: the schedule was disabled by "
    "then, or Airflow was away and a later instant was due already.\n\n"
    "Starting this DAG by hand fires the schedule now. Change the schedule itself with Airloom."
)


def build_schedule_dag(document: ScheduleDocument) -> DAG:
    """The DAG of a schedule; the same bytes for the same schedule, whatever its endpoint's default is."""
    dag = DAG(
        dag_id=document.dag_id,
        dag_display_name=document.name,
        description=document.description or None,
        schedule=_when(document),
        catchup=False,
        tags=[TAG, "schedule", f"workspace:{document.workspace}"],
        default_args={"owner": document.created_by} if document.created_by else {},
        is_paused_upon_creation=False,
        render_template_as_native_obj=False,
        doc_md=_DOC,
    )
    if document.data is not None:
        dag.max_active_runs = 1  # a second hand-over at a time would find nothing left to do
    TriggerPipelineOperator(task_id=TASK, schedule=document.short_id, dag=dag, task_display_name="start the pipeline")
    return dag


def _when(document: ScheduleDocument) -> Any:
    """What Airflow fires the DAG by: a timetable, or an asset that is watched by a trigger; None for never."""
    if document.clock is not None:
        return RecurrenceTimetable(document.clock, active=document.status == "Active")
    if document.data is None or document.status != "Active":
        return None
    trigger = FolderChangesTrigger(
        schedule_id=document.id,
        workspace=document.workspace,
        datastore=document.data.datastore,
        path=document.data.path,
        polling_interval=max(document.data.polling_interval, SHORTEST_INTERVAL),
    )
    # Airflow knows an asset by its name and its address; one of this schedule alone fires no other.
    return [
        Asset(
            name=document.dag_id,
            uri=f"airloom://schedules/{document.short_id}",
            group="airloom",
            watchers=[AssetWatcher(name=document.short_id, trigger=trigger)],
        )
    ]
