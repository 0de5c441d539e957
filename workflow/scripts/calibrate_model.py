"""What distance and energy are expected to be left of a result, from validation molecules."""

import json
from pathlib import Path

import pandas as pd

from morered.files import atomic_path
from morered.metrics import reliability
from morered.models import weights
from morered.study.script import logged

with logged(snakemake):
    files, out = snakemake.input, snakemake.output
    if not files.endings:
        raise SystemExit(f"{snakemake.wildcards.model}: no test set of conformers of validation molecules is relaxed with it")
    fitted = reliability.fit(pd.concat([pd.read_csv(path) for path in files.endings], ignore_index=True))
    weights.with_calibration(files.weights, out.weights, fitted.to_dict())
    with atomic_path(out.calibration) as path:
        Path(path).write_text(json.dumps(fitted.to_dict(), indent=1) + "\n", encoding="utf-8")
