"""The command in odd surroundings: code in the current folder, pipes that close, terminals that know only ASCII."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from morered.cli import main
from morered.datasets import qm7
from morered.formats import write

pytestmark = pytest.mark.slow

PATIENCE = 120.0
#: The console script as `pip` writes it, kept from the path of this process.
SCRIPT = "import sys\nfrom morered.cli import entry\nif __name__ == '__main__':\n    sys.exit(entry())\n"
#: Modules of the standard library and of others that something imports, each of which tells when it is run.
TRAPS = ("random", "copy", "pickle", "socket", "struct", "tempfile", "ctypes", "json", "typing", "numpy", "torch", "tblite")


@pytest.fixture
def script(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("bin") / "morered"
    path.write_text(SCRIPT)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with two molecules and with files that must not be run."""
    minima = qm7.load().without_columns()[[100, 101]]
    write(tmp_path / "in.xyz", minima.with_positions(minima.positions + 0.02))
    trap = f"open({str(tmp_path / 'run')!r}, 'a').write(__name__ + ' ')\nraise SystemExit(7)\n"
    for name in TRAPS:
        (tmp_path / f"{name}.py").write_text(trap)
    for name in ("ase", "morered"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(trap)
    (tmp_path / ".pyscf_conf.py").write_text(trap.replace("__name__", "'pyscf'"))
    (tmp_path / "matplotlibrc").write_text("backend: module://random\n")
    return tmp_path


def environment(**changes: str) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "PYTHON"))}
    source = str(Path(sys.modules["morered"].__file__).parent.parent)
    return {**own, "PYTHONPATH": source, "OMP_NUM_THREADS": "1", **changes}


def run(script: Path, *arguments: object, **options):
    options = {"env": environment(), "capture_output": True, "timeout": PATIENCE, **options}
    return subprocess.run([sys.executable, str(script), *map(str, arguments)], check=False, **options)


@pytest.mark.parametrize(
    "arguments",
    [
        ("relax", "in.xyz", "-o", "out.xyz"),
        ("relax", "in.xyz", "-o", "out.xyz", "--method", "gfn2", "--workers", "2"),
        ("energy", "in.xyz", "--basis", "sto-3g", "--grid", "0", "--workers", "2"),
    ],
)
def test_no_file_of_the_current_folder_is_run(script, folder, arguments):
    done = run(script, *arguments, cwd=folder)
    assert not (folder / "run").exists(), (folder / "run").read_text()
    assert done.returncode == 0, done.stderr.decode()


def test_neither_are_they_by_python_with_m(folder):
    shadowed = [path for path in folder.iterdir() if path.name in ("morered", "typing.py")]  # found before ours can say anything
    for path in shadowed:
        path.rename(path.with_name(f"no-{path.name}"))
    done = subprocess.run(
        [sys.executable, "-m", "morered", "relax", "in.xyz", "-o", "out.xyz"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    assert not (folder / "run").exists(), (folder / "run").read_text()
    assert done.returncode == 0, done.stderr.decode()


def test_freed_memory_is_kept_without_a_second_start(script, tmp_path):
    code = (
        "import os\nfrom morered.commands import process\nbefore = os.getpid()\nprocess.set_up()\n"
        "import numpy as np\n"
        "def size(): return int(open('/proc/self/statm').read().split()[1])\n"
        "small = size(); x = np.ones(1 << 25); large = size(); del x; kept = size()\n"
        "print(os.getpid() == before, (large - small) * 4096 > 2e8, kept - small > 0.9 * (large - small))\n"
        "print(os.environ['MALLOC_TOP_PAD_'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout.decode().split() == ["True", "True", "True", "67108864"]


def test_a_signal_that_is_ignored_stays_ignored():
    code = (
        "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\nfrom morered.commands import process\nprocess.set_up()\n"
        "print(signal.getsignal(signal.SIGHUP) is signal.SIG_IGN, signal.getsignal(signal.SIGTERM) is process._stop)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, check=True, timeout=PATIENCE)
    assert done.stdout.decode().split() == ["True", "True"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("relax", "in.xyz", "--table", "t.csv"), 0),
        (("energy", "in.xyz", "--basis", "sto-3g", "--grid", "0", "--no-mbd", "--workers", "1", "--table", "t.csv"), 0),
        (("energy", "in.xyz", "--basis", "sto-3g", "--grid", "0", "--no-mbd", "--workers", "1"), 0),
        (("info",), 0),
    ],
)
def test_a_reader_that_has_enough_is_no_wrong_usage(script, folder, arguments, code):
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(script, *arguments, cwd=folder, capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    finally:
        os.close(writing)
    assert done.returncode == code, done.stderr.decode()
    assert b"Traceback" not in done.stderr
    assert b"rror" not in done.stderr
    if "--table" in arguments:
        assert len(pd.read_csv(folder / "t.csv")) == 2


STREAMS = {"PYTHONIOENCODING": "ascii"}
LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("relax", "--help"), STREAMS),
        (("relax", "--help"), LOCALE),
        (("info",), STREAMS),
        (("relax", "in.xyz", "-o", "å.xyz", "--method", "mlff"), LOCALE),
    ],
)
def test_a_terminal_that_knows_only_ascii(script, folder, arguments, variables):
    done = run(script, *arguments, cwd=folder, env=environment(**variables))
    assert b"Traceback" not in done.stderr
    assert done.returncode == 0, done.stderr.decode()


def test_names_move_no_cursor(script, folder):
    text = (folder / "in.xyz").read_text().splitlines()
    size = int(text[0])
    bad = '1\nname="\x1b]0;owned\x07\x1b[2Jx"\nH 0 0 0\n'
    (folder / "odd.xyz").write_text("\n".join(text[: size + 2]) + "\n" + bad)
    done = run(script, "relax", "odd.xyz", "-o", "out.xyz", "--method", "mlff", "--steps", "1", "--table", "t.csv", cwd=folder)
    assert done.returncode == 1
    assert b"\x1b" not in done.stderr
    assert b"\\x1b]0;owned" in done.stderr


@pytest.mark.parametrize("device", ["mps", "meta", "cuda:99", "xpu:0", "nonsense"])
def test_a_device_that_is_not_there(folder, device, capsys):
    code = main(["relax", str(folder / "in.xyz"), "-o", str(folder / "out.xyz"), "--device", device])
    told = capsys.readouterr().err
    assert code == 2
    assert f"no device '{device}'" in told
    assert "--device" in told or "auto" in told
