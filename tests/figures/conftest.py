import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from morered.metrics.tables import COLUMNS


@pytest.fixture
def assert_figure():
    """Check that a figure's files are all there, readable, of print resolution and not blank."""

    def check(stem, width=None):
        assert sorted(p.suffix for p in stem.parent.glob(f"{stem.name}.*") if p.stem == stem.name) == [".csv", ".pdf", ".png"]
        image = matplotlib.image.imread(stem.with_name(stem.name + ".png"))
        if width is not None:
            assert image.shape[1] == round(width * 300)
        assert 0.005 < (image[..., :3].min(axis=2) < 0.9).mean() < 0.9  # drawn on, but not all over
        assert stem.with_name(stem.name + ".pdf").read_bytes().startswith(b"%PDF")
        assert not [p for p in stem.parent.iterdir() if p.name.startswith(".")]

    return check


@pytest.fixture(scope="session")
def run():
    """Makes the synthetic table of a relaxation."""
    return _run


def _run(testset, method, ratios, *, before=0.2, seed=0, steps=10, first_time=None, verdict="converged", rank="", seconds=0.5):
    """A table with these RMSD ratios; the other columns have one value, or one per molecule."""
    ratios = np.asarray(ratios, float)
    before = np.broadcast_to(np.asarray(before, float), ratios.shape)
    ids = [f"{testset}/{k:05d}" for k in range(len(ratios))]
    frame = pd.DataFrame(
        {
            "id": ids,
            "reference": [f"{name}-min" for name in ids],
            "rank": rank,
            "n_atoms": 12,
            "verdict": verdict,
            "steps": steps,
            "rmsd_before": before,
            "rmsd_after": before * ratios,
            "ratio": ratios,
            "first_time": np.nan if first_time is None else first_time,
            "last_time": 0.0,
            "first_fmax": np.nan,
            "last_fmax": np.nan,
            "moved": before,
            "bonds_kept": 1,
            "minimum_bonds": 1,
            "stereo_kept": -1,
            "closest_contact": 1.0,
            "seconds": seconds,
            "reason": "",
        }
    )[list(COLUMNS)]
    return frame.assign(testset=testset, method=method, seed=seed)
