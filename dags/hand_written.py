"""A hand-written Airflow DAG whose steps are reused while nothing they depend on has changed.

It is the example of `examples/automobile` as an Airflow user would write it: prepare the data, train two models side
by side, compare them. Any other Airflow tasks may stand beside these. What the Airloom operators add:

- Inputs and outputs are named ports. Data stays on datastores; between tasks only references travel, as XCom.
- `SkipIfUnchangedSensor`, upstream of the first steps, skips every step whose scripts, arguments, data and packages
  are as they were when it last ran well. A skipped step has the outputs of that time.
- A step that runs again but writes the same bytes as before does not cause those after it to run.

To try it, with the packages of the `demo` extra in Airflow's environment:

1. Let the file be found: link it into the server's DAG folder, which is `.airloom/airflow/dags` for `airloom up`.
2. Put the table on the datastore, once:
   `Workspace.from_config().get_default_datastore().upload_files(["examples/automobile/data/automobile.csv"],
   target_path="automobile")`
3. Trigger `hand_written` twice in Airflow. The second run skips all steps; edit a script, and a third one runs that
   script and whatever its output changes. A run with the configuration {"airloom.reuse": "off"} skips nothing.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param

from airloom.graph.model import InputPath, OutputPath, ParameterValue
from airloom.operators import PythonScriptOperator, SkipIfUnchangedSensor

SCRIPTS = Path(__file__).resolve().parents[1] / "examples" / "automobile"

with DAG(
    "hand_written",
    schedule=None,
    params={"test_share": Param(0.25, type="number", minimum=0, maximum=1)},
    doc_md=__doc__,
    tags=["example"],
) as dag:
    unchanged = SkipIfUnchangedSensor(task_id="skip_if_unchanged")

    prepare = PythonScriptOperator(
        task_id="prepare",
        script_name="prepare.py",
        source_directory=SCRIPTS / "prepare",
        inputs={"cars": "workspaceblobstore/automobile/automobile.csv"},
        outputs=["tables"],
        arguments=[
            *("--cars", InputPath(port="cars")),
            *("--test-share", ParameterValue(parameter="test_share")),
            *("--out", OutputPath(port="tables")),
        ],
    )
    models = [
        PythonScriptOperator(
            task_id=name,
            script_name=f"{name}.py",
            source_directory=SCRIPTS / name,
            inputs={"tables": prepare.port("tables")},
            outputs=["predictions"],
            arguments=["--data", InputPath(port="tables"), "--out", OutputPath(port="predictions")],
        )
        for name in ("train_ridge", "train_forest")
    ]
    compare = PythonScriptOperator(
        task_id="compare",
        script_name="compare.py",
        source_directory=SCRIPTS / "compare",
        inputs={"ridge": models[0].port("predictions"), "forest": models[1].port("predictions")},
        outputs=["comparison"],
        arguments=[
            *("--ridge", InputPath(port="ridge")),
            *("--forest", InputPath(port="forest")),
            *("--out", OutputPath(port="comparison")),
        ],
    )

    unchanged >> prepare >> models >> compare
