"""The environment variables of a script, and of the commands that prepare it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from airloom.runner.inputs import ReadyInput
from airloom.runner.outputs import OpenOutput
from airloom.runner.spec import StepSpec

CHANGED_FILES = "AIRLOOM_CHANGED_FILES"
STANDIN = Path(__file__).with_name("standin")

SUBSCRIPTION = "airloom"
RESOURCE_GROUP = "local"

# The worker's own settings hold secrets (Airflow's database, connections, keys) and the marks of the step around it.
_PRIVATE_PREFIXES = ("AIRFLOW", "_AIRFLOW", "__AIRFLOW", "AIRLOOM_", "AZUREML_", "AML_PARAMETER_")
_PRIVATE_NAMES = frozenset(
    {"PYTHONHOME", "PYTHONINSPECT", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
)
# With these a script could change the records of other runs. They are the store's only if it lies in Azure.
_STORE_SECRETS = frozenset({"AZURE_STORAGE_CONNECTION_STRING", "AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN"})


def inherited(store: str) -> dict[str, str]:
    """What the script gets of the worker's environment.

    That is all but Airflow's and Airloom's own, Python's paths, and what opens the store at this address.
    """
    private = _PRIVATE_NAMES | (_STORE_SECRETS if store.startswith("azure:") else frozenset())
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_PRIVATE_PREFIXES) and name not in private
    }


def script_variables(
    spec: StepSpec,
    interpreter: Path,
    run_folder: Path,
    inputs: Sequence[ReadyInput],
    outputs: Sequence[OpenOutput],
) -> dict[str, str]:
    """All environment variables of the script. What the author sets wins over the worker's, and ours over both."""
    variables = {**inherited(spec.store), **spec.environment.variables, **spec.environment_variables}
    values = {ready.spec.name: ready.argument for ready in inputs}
    # SDK v1 gives datasets under their plain name too; that must not replace a variable such as PATH.
    for ready in inputs:
        if ready.spec.kind != "path":
            variables.setdefault(ready.spec.name, ready.argument)
    values.update({output.spec.name: str(output.path) for output in outputs})
    variables.update({f"AZUREML_DATAREFERENCE_{name}": value for name, value in values.items()})
    variables.update(_identity(spec))
    variables["AIRLOOM_RUN_DIR"] = str(run_folder)
    variables["PYTHONUNBUFFERED"] = "1"
    variables["PYTHONPATH"] = _joined(str(STANDIN), _chosen(spec, "PYTHONPATH"))
    variables["PATH"] = _joined(str(interpreter.parent), variables.get("PATH", os.defpath))
    return variables


def _identity(spec: StepSpec) -> dict[str, str]:
    return {
        "AZUREML_RUN_ID": spec.step_run_id,
        "AZUREML_ROOT_RUN_ID": spec.run_id,
        "AZUREML_EXPERIMENT_NAME": spec.experiment,
        "AZUREML_ARM_PROJECT_NAME": spec.experiment,
        "AZUREML_ARM_WORKSPACE_NAME": spec.workspace,
        "AZUREML_ARM_SUBSCRIPTION": SUBSCRIPTION,
        "AZUREML_ARM_RESOURCEGROUP": RESOURCE_GROUP,
    }


def _chosen(spec: StepSpec, name: str) -> str:
    for variables in (spec.environment_variables, spec.environment.variables):
        if name in variables:
            return variables[name]
    return ""


def _joined(first: str, others: str) -> str:
    return f"{first}{os.pathsep}{others}" if others else first
