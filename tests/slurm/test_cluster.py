"""What happens to a cluster under a study that runs: the small one, which `test_study.py` looks at when it has ended."""

import pytest
from node import NAME, Node, slurm, wait_until

from conftest import PATIENCE, Underway

pytestmark = pytest.mark.slurm


def test_a_node_is_drained_and_resumed(node: Node, underway: Underway) -> None:
    underway.run.wait_for_job(underway.process, "RUNNING", of="train_model")
    slurm("scontrol", "update", f"NodeName={NAME}", "State=DRAIN", "Reason=test")
    wait_until(lambda: node.state() == "drain", PATIENCE, "running jobs do not end")  # they are let run to their end
    assert not underway.run.jobs("RUNNING")
    assert underway.process.poll() is None
    slurm("scontrol", "update", f"NodeName={NAME}", "State=RESUME")
    underway.run.wait_for_job(underway.process, "RUNNING")


def test_the_controller_is_stopped_and_restarted(node: Node, underway: Underway) -> None:
    running = underway.run.wait_for_job(underway.process, "RUNNING")
    node.restart_controller()
    wait_until(lambda: running in underway.run.jobs(), PATIENCE, "the controller has forgotten the job")
    assert underway.process.poll() is None
