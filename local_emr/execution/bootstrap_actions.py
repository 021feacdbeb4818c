"""Bootstrap actions: scripts that a node runs before its applications are installed.

https://docs.aws.amazon.com/emr/latest/ManagementGuide/emr-plan-bootstrap.html
"""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError

from local_emr.clusters.cluster import ENDING, Cluster, Ending
from local_emr.execution.logs import LogFolder, bootstrap_log_uri
from local_emr.execution.node import Node
from local_emr.execution.processes import Command, run_command
from local_emr.execution.storage import read_uri
from local_emr.service_model import Parameters

_CANNOT_FETCH = 127
_FAILED = "returned a non-zero return code"


def run_bootstrap_actions(cluster: Cluster, node: Node) -> None:
    """Run them in order; the first failure terminates the cluster."""
    for number, action in enumerate(cluster.request.get("BootstrapActions", []), start=1):
        if cluster.state in ENDING:
            return
        if _run_action(cluster, node, number, action["ScriptBootstrapAction"]) != 0:
            master = cluster.hardware.master.instance_id
            message = f"On the master instance ({master}), bootstrap action {number} {_FAILED}"
            cluster.terminate(Ending("BOOTSTRAP_FAILURE", message))


def _run_action(cluster: Cluster, node: Node, number: int, script: Parameters) -> int:
    uri = bootstrap_log_uri(
        cluster.request.get("LogUri"), cluster.cluster_id, cluster.hardware.master.instance_id, number
    )
    place = node.folder / "log" / "bootstrap-actions" / str(number)
    log = LogFolder(place, uri, cluster.settings.s3_logs)
    folder = node.folder / "bootstrap-actions" / str(number)
    folder.mkdir(parents=True)
    file = folder / "script"
    try:
        file.write_bytes(read_uri(script["Path"]))
    except (OSError, BotoCoreError, ClientError) as error:
        log.note(f"Failed to fetch {script['Path']}: {error}")
        code = _CANNOT_FETCH
    else:
        command = ["bash", str(file), *script.get("Args", [])]
        log.note(f"Running {command}")
        grace = cluster.settings.stop_grace_seconds
        code = run_command(
            Command(command, folder, node.bootstrap_environment(), log.output, node.marker),
            stop=lambda: grace if cluster.state in ENDING else None,
            sweep=False,  # a bootstrap action may start a service that runs until the node ends
        )
        log.note(f"Bootstrap action {number} returned {code}")
    log.push("controller", "stdout", "stderr")
    return code
