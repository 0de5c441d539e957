"""The benchmark runs and fills its table."""

import csv
import subprocess
import sys


def test_the_table_has_the_numbers_of_the_calculators_asked_for(repository, tmp_path):
    out = tmp_path / "bench" / "calculators.csv"
    options = ["--structures", "4", "--repeats", "1", "--workers", "1", "--only", "gfn2", "--out", str(out)]
    subprocess.run(
        [sys.executable, repository / "benchmarks" / "calculators.py", *options], check=True, capture_output=True, timeout=120
    )
    rows = list(csv.DictReader(out.open()))
    assert [row["calculator"] for row in rows] == ["gfn2"]
    assert (rows[0]["structures"], rows[0]["failed"]) == ("4", "0")
    for key in ("single_cpu_ms", "batched_cpu_ms", "pool_1_ms", "pool_1_efficiency", "pool_1_startup_s"):
        assert float(rows[0][key]) > 0, key
