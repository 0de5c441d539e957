"""A Slurm of one node on this machine, for tests: Debian's packages, no systemd, no cgroups, a GPU that is /dev/null.

    python tests/slurm/node.py up        start it (root); `up` again restarts what is down
    python tests/slurm/node.py down      stop it and remove what it wrote

The jobs that Snakemake starts drop every SLURM_ variable before they call srun, so the configuration must lie in /etc/slurm, and
nothing but a file that this module wrote is ever replaced there. There is no database of accounts: squeue tells how jobs ended.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ETC = Path("/etc/slurm")
STATE = Path("/var/tmp/morered-slurm")
OURS = "# A test node of morered's, written by tests/slurm/node.py."
NAME = "node1"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "srun", "scontrol")

CONFIGURATION = """{ours}
ClusterName=morered
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=16917
SlurmdPort=16918
# A job that is queued again waits for its credential to run out.
AuthInfo=cred_expire=5
StateSaveLocation={state}/controller
SlurmdSpoolDir={state}/spool
SlurmctldPidFile={state}/slurmctld.pid
SlurmdPidFile={state}/slurmd.pid
SlurmctldLogFile={state}/slurmctld.log
SlurmdLogFile={state}/slurmd.log
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
ReturnToService=2
# Jobs start at once.
SchedulerParameters=batch_sched_delay=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
# squeue must know ended jobs for longer than Snakemake's polling takes.
MinJobAge=7200
KillWait=5
# Without cgroups: memory is polled, and a job over its limit is killed.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
GresTypes=gpu
# More CPUs and memory than there may be: jobs wait for each other's files most of their time.
SlurmdParameters=config_overrides
NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory={memory_mb} Gres=gpu:{gpus} State=UNKNOWN
PartitionName=all Nodes={name} Default=YES MaxTime=2-00:00:00 State=UP
"""


class Node:
    """The node and its daemons.

    Parameters
    ----------
    cpus, memory_mb, gpus
        What it claims to have.
    """

    def __init__(self, cpus: int = 8, memory_mb: int = 64000, gpus: int = 4) -> None:
        self.cpus, self.memory_mb, self.gpus = cpus, memory_mb, gpus

    # ----------------------------------------------------------------- starting and stopping

    def up(self) -> None:
        """Write the configuration, start what is not running, and wait until jobs would start.

        Raises
        ------
        RuntimeError
            If this is not root's, a program is missing, the machine has a Slurm of its own, or a daemon does not come up.
        """
        missing = [program for program in PROGRAMS if shutil.which(program) is None]
        if missing:
            raise RuntimeError(f"there is no {', '.join(missing)}: apt-get install slurmctld slurmd slurm-client munge")
        if os.geteuid() != 0:
            raise RuntimeError("only root can start a Slurm")
        self._configure()
        if not _running("munged"):
            _call(
                "munged", "--force", f"--key-file={STATE}/munge.key", f"--pid-file={STATE}/munged.pid",
                f"--log-file={STATE}/munged.log", f"--seed-file={STATE}/munge.seed",
            )  # fmt: skip
        if not _running("slurmctld"):
            _call("slurmctld")
        if not _running("slurmd"):
            _call("slurmd", "-N", NAME)
        wait_until(lambda: self.state() in ("idle", "mix", "alloc"), 300, f"the node is {self.state()!r}; logs: {STATE}/*.log")

    def down(self) -> None:
        """End all jobs, stop the daemons and remove what they wrote."""
        if _running("slurmctld"):
            slurm("scancel", "--user=root", check=False)
            time.sleep(1)
        for daemon in ("slurmd", "slurmctld", "munged"):
            _stop(daemon)
        for file in ("slurm.conf", "gres.conf"):
            if _is_ours(ETC / file):
                (ETC / file).unlink()
        shutil.rmtree(STATE, ignore_errors=True)

    def restart_controller(self) -> None:
        """Stop the controller and start it again some seconds later; jobs run on.

        It is let write its state: killed, it may forget what was submitted in its last five seconds, which a run would do again.
        """
        _stop("slurmctld")
        time.sleep(3)
        _call("slurmctld")
        wait_until(lambda: self.state() != "", 300, f"slurmctld does not answer; log: {STATE}/slurmctld.log")

    # ----------------------------------------------------------------- looking

    def state(self) -> str:
        """What sinfo says of the node in a word ("idle", "mix", "alloc", "drain", "drng"); empty where no controller answers."""
        done = slurm("sinfo", "--noheader", f"--nodes={NAME}", "--format=%t", check=False)
        return done.stdout.strip()

    # ----------------------------------------------------------------- internals

    def _configure(self) -> None:
        foreign = [path for path in (ETC / "slurm.conf", ETC / "gres.conf") if path.exists() and not _is_ours(path)]
        if foreign:
            raise RuntimeError(f"{foreign[0]} is not this test's: this machine has a Slurm of its own")
        for folder in (ETC, STATE, STATE / "controller", STATE / "spool", Path("/run/munge")):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (STATE, Path("/run/munge")):
            folder.chmod(0o755)
        if not (STATE / "munge.key").exists():
            (STATE / "munge.key").touch(0o600)
            (STATE / "munge.key").write_bytes(os.urandom(128))
        devices = [STATE / f"gpu{number}" for number in range(self.gpus)]
        for device in devices:
            if not device.exists():  # Slurm wants a character device: one like /dev/null
                os.mknod(device, 0o020666, os.makedev(1, 3))
        host = os.uname().nodename.split(".")[0]
        text = CONFIGURATION.format(
            ours=OURS, host=host, state=STATE, name=NAME, cpus=self.cpus, memory_mb=self.memory_mb, gpus=self.gpus
        )
        (ETC / "slurm.conf").write_text(text, encoding="utf-8")
        lines = [f"NodeName={NAME} Name=gpu File={device}" for device in devices]
        (ETC / "gres.conf").write_text("\n".join([OURS, *lines, ""]), encoding="utf-8")


def slurm(*command: str, check: bool = True, seconds: int = 150) -> subprocess.CompletedProcess[str]:
    """Call a Slurm client; those wait for minutes where no controller answers, so they are given ``seconds``."""
    return subprocess.run(
        ["timeout", "-k", "5", str(seconds), *command], capture_output=True, text=True, check=check, stdin=subprocess.DEVNULL
    )


def wait_until(holds: Callable[[], object], seconds: float, otherwise: str, every: float = 0.2) -> None:
    """Wait until something holds.

    Raises
    ------
    RuntimeError
        If it does not in time; ``otherwise`` says what that means.
    """
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            raise RuntimeError(otherwise)
        time.sleep(every)


def _is_ours(path: Path) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8").startswith(OURS)


def _pid(daemon: str) -> int | None:
    """Process of a daemon of this node's, None where it does not run."""
    try:
        number = int((STATE / f"{daemon}.pid").read_text())
        return number if Path(f"/proc/{number}/comm").read_text().strip() == daemon else None
    except (OSError, ValueError):
        return None


def _running(daemon: str) -> bool:
    return _pid(daemon) is not None


def _stop(daemon: str, how: signal.Signals = signal.SIGTERM) -> None:
    pid = _pid(daemon)
    if pid is not None:
        os.kill(pid, how)
        wait_until(lambda: _pid(daemon) is None, 150, f"{daemon} (process {pid}) does not end")


def _call(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise RuntimeError(f"{command[0]} did not start: {done.stderr.strip()}")


if __name__ == "__main__":
    try:
        {"up": Node().up, "down": Node().down}[sys.argv[1]]()
    except (IndexError, KeyError):
        sys.exit(__doc__)
    except RuntimeError as fault:
        sys.exit(f"{Path(__file__).name}: {fault}")
