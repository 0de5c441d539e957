"""The numbers that the paper states in words, each with its place: what a run is compared with.

Values that are only drawn in a figure are not read off it. The paper's runs are on QM7-X (DFTB3+MBD minima, PBE0+MBD labels)
and, for generation, on QM9; a run on other data is another experiment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import pandas as pd

#: Test sets as the paper has them: normal-mode displacements of QM7-X, and 250 steps of the forward process.
NORMAL, DIFFUSED = "normal-modes", "diffused-250"

#: Quantity -> (what it is called in the table, unit).
QUANTITIES: dict[str, tuple[str, str]] = {
    "pearson_r": ("Pearson correlation of predicted first step and RMSD", ""),
    "zero": ("inputs predicted to be at step 0", ""),
    "pearson_moved": ("Pearson correlation of the distance moved and the RMSD of the input", ""),
    "median_rmsd": ("median RMSD after relaxation", "Å"),
    "median_ratio": ("median RMSD ratio", ""),
    "failure_percent": ("failures (ratio ≥ 1)", "%"),
    "ratio_over_normal_modes": ("median RMSD ratio, relative to the one on normal-mode inputs", ""),
    "failures_over_normal_modes": ("failures, relative to those on normal-mode inputs", ""),
    "failures_minus_normal_modes": ("failures, less those on normal-mode inputs", "%"),
    "within_input_range": ("median RMSD of the inputs within the range of the normal-mode inputs (1 yes, 0 no)", ""),
    "mean_steps": ("mean number of steps", ""),
    "median_steps": ("median number of steps", ""),
    "seconds_per_step": ("time for one step, one molecule", "s"),
    "seconds_per_batch_step": ("time for one step, batch of 128", "s"),
    "seconds_per_relaxation": ("time for one relaxation", "s"),
    "training_days": ("training time", "days"),
    "energy_error": ("error of the energy on the test split", "kcal/mol"),
    "force_error": ("error of the forces on the test split", "kcal/mol/Å"),
    "energy_within_1_percent": ("relaxed structures less than 1 kcal/mol above the minimum", "%"),
    "energy_below_percent": ("relaxed structures below the minimum in energy", "%"),
    "median_energy": ("median energy above the minimum", "kcal/mol"),
    "distance_change": ("mean change of bond lengths against the minimum", "Å"),
    "mean_force": ("mean force on the atoms of the minima, PBE0+MBD", "kcal/mol/Å"),
    "median_force": ("median force on the atoms of the minima, PBE0+MBD", "kcal/mol/Å"),
    "valid_percent": ("valid", "%"),
    "valid_unique_percent": ("valid and unique", "%"),
    "valid_unique_novel_percent": ("valid, unique and novel", "%"),
    "valid_unique_500_percent": ("valid and unique with at most 500 steps", "%"),
    "valid_unique_800_percent": ("valid and unique with at most 800 steps", "%"),
    "parameters": ("learnable parameters", "million"),
}


class Statement(NamedTuple):
    """A number of the paper.

    ``relation`` is "=" (stated), "≈" (stated roughly), ">" or "<" (a bound); ``testset`` and ``method`` are empty where they do
    not matter.
    """

    place: str
    testset: str
    method: str
    quantity: str
    relation: str
    value: float
    words: str = ""

    @property
    def key(self) -> str:
        """Test set, method and quantity, which no two statements share."""
        return f"{self.testset}/{self.method}/{self.quantity}"


STATEMENTS = [
    Statement("Section 3.1, Fig. 3a", NORMAL, "MoreRed-JT", "pearson_r", "=", 0.85),
    Statement("Section 3.1, Fig. 3a", NORMAL, "MoreRed-ITP", "pearson_r", "=", 0.73, "ITP and AS share the time predictor"),
    Statement("Section 3.1, Fig. 3a", NORMAL, "MoreRed-JT", "zero", "=", 0, "t > 0 is predicted for all 10 000 test structures"),
    Statement("Section 3.1, Fig. 3a", NORMAL, "MoreRed-ITP", "zero", "=", 0, "t > 0 is predicted for all 10 000 test structures"),
    Statement("Section 3.2, Fig. 4", NORMAL, "MoreRed-ITP", "median_rmsd", "=", 0.12),
    Statement("Section 3.2, Fig. 4", NORMAL, "MoreRed-JT", "median_rmsd", "=", 0.06),
    Statement("Section 3.2, Fig. 4", NORMAL, "MoreRed-AS", "median_rmsd", "=", 0.05),
    Statement("Section 3.2, Fig. 4", NORMAL, "MoreRed-ITP", "failure_percent", "≈", 0, "almost no failures"),
    Statement("Section 3.2, Fig. 4", NORMAL, "MLFF", "median_ratio", "≈", 0.4),
    Statement("Section 3.2, Fig. 4", NORMAL, "MLFF", "failure_percent", ">", 20),
    Statement("Section 3.2, Fig. 4", NORMAL, "GFN2-xTB", "median_ratio", "≈", 0.4),
    Statement("Section 3.2, Fig. 4", NORMAL, "GFN2-xTB", "failure_percent", ">", 20),
    Statement("Section 3.2, Fig. 4", NORMAL, "MMFF94", "failure_percent", ">", 40),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "MLFF", "failure_percent", "≈", 90, "almost 90 %"),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "MMFF94", "failure_percent", "=", 99.6),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "MMFF94", "median_ratio", "=", 1.0, "in nearly all cases the input is returned"),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "GFN2-xTB", "ratio_over_normal_modes", ">", 2, "more than doubled"),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "GFN2-xTB", "failures_over_normal_modes", ">", 2, "more than doubled"),
    *(
        Statement("Section 3.2, Fig. 4", DIFFUSED, f"MoreRed-{variant}", quantity, relation, bound, words)
        for variant in ("ITP", "JT", "AS")
        for quantity, relation, bound, words in (
            ("ratio_over_normal_modes", "<", 1, "the median ratio improves on diffused inputs"),
            ("failures_minus_normal_modes", ">", 0, "there are more failures on diffused inputs"),
        )
    ),
    Statement("Section 3.2, Fig. 4", DIFFUSED, "", "within_input_range", "=", 1),
    Statement("Section 3.2, Fig. 6", NORMAL, "MoreRed-ITP", "energy_within_1_percent", ">", 50, "a majority"),
    Statement("Section 3.2, Fig. 6", NORMAL, "MoreRed-JT", "energy_within_1_percent", ">", 50, "a majority"),
    Statement("Section 3.2, Fig. 6", NORMAL, "MLFF", "energy_below_percent", ">", 50, "mostly lower than the minima of QM7-X"),
    Statement(
        "Section 3.2, Fig. 6", NORMAL, "GFN2-xTB", "median_energy", "<", 0, "lower than the minima of QM7-X, higher than the MLFF"
    ),
    Statement("Section 3.2, Fig. 6", NORMAL, "MMFF94", "median_energy", ">", 1, "mostly significantly higher"),
    Statement("Section 3.2, Fig. 6", NORMAL, "MoreRed-AS", "distance_change", "<", 0, "interatomic distances are underestimated"),
    Statement("Section 3.2", "", "", "mean_force", ">", 5, "the minima of QM7-X are none of PBE0+MBD"),
    Statement("Section 3.2", "", "", "median_force", ">", 5, "the minima of QM7-X are none of PBE0+MBD"),
    *(
        Statement("Table B1", "", method, f"valid{suffix}_percent", "=", value)
        for method, values in (
            ("DDPM", (78.2, 77.3, 62.5)),
            ("MoreRed", (89.3, 88.0, 68.6)),
            ("DDPM-large", (86.6, 85.3, 63.8)),
            ("MoreRed-large", (94.7, 92.4, 66.7)),
        )
        for suffix, value in zip(("", "_unique", "_unique_novel"), values, strict=True)
    ),
    Statement("Appendix B.5, Fig. B4", "", "MoreRed-large", "valid_unique_500_percent", "≈", 4),
    Statement("Appendix B.5, Fig. B4", "", "MoreRed-large", "valid_unique_800_percent", "≈", 35, "up to 35 %"),
    Statement("Appendix C.2", "", "MLFF", "energy_error", "=", 0.376, "called a mean square error, given in kcal/mol"),
    Statement("Appendix C.2", "", "MLFF", "force_error", "=", 0.519, "called a mean square error, given in kcal/mol/Å"),
    Statement("Appendix C.2", "", "MoreRed-JT", "parameters", "≈", 2.5),
    Statement("Appendix C.2", "", "MoreRed-large", "parameters", "≈", 10),
    Statement("Appendix D", NORMAL, "MoreRed-ITP", "mean_steps", "=", 64),
    Statement("Appendix D", NORMAL, "MoreRed-JT", "mean_steps", "=", 489),
    Statement("Appendix D", NORMAL, "MoreRed-AS", "mean_steps", "=", 992),
    Statement("Appendix D", NORMAL, "MLFF", "mean_steps", "=", 122),
    Statement("Appendix D", NORMAL, "MoreRed-ITP", "median_steps", "=", 53),
    Statement("Appendix D", NORMAL, "MoreRed-AS", "median_steps", "=", 1000, "the cap"),
    *(
        Statement("Section 3.2, Appendix D", "", f"MoreRed-{variant}", quantity, "=", value, "on a P100")
        for variant in ("ITP", "JT", "AS")
        for quantity, value in (("seconds_per_step", 0.03), ("seconds_per_batch_step", 0.05))
    ),
    Statement("Section 3.2, Appendix D", "", "MLFF", "seconds_per_step", "=", 0.02, "on a P100"),
    Statement("Section 3.2, Appendix D", "", "MLFF", "seconds_per_batch_step", "=", 0.03, "on a P100"),
    Statement("Section 3.2, Appendix D", "", "GFN2-xTB", "seconds_per_step", "=", 1.5),
    Statement("Section 3.2, Appendix D", "", "MMFF94", "seconds_per_relaxation", "=", 0.022),
    *(
        Statement("Section 3.2", "", f"MoreRed-{v}", "training_days", "=", 1.45, "on average, on a P100")
        for v in ("ITP", "JT", "AS")
    ),
    Statement("Section 3.2", "", "MLFF", "training_days", ">", 7, "on a P100"),
]


def table() -> pd.DataFrame:
    """The published numbers: place, testset, method, quantity, relation, value, words."""
    import pandas as pd  # the statements are read where a config is, which needs nothing numerical

    return pd.DataFrame(STATEMENTS, columns=list(Statement._fields))
