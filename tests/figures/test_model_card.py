"""A model card holds what the header of the weights says and what the table of endings has."""

import pandas as pd

from morered.figures import model_card
from morered.files import sha256
from morered.metrics.endings import QUANTITIES
from morered.models import weights


def test_a_card_is_the_header_and_the_table(tmp_path):
    limits = [f"{name}{end}" for name in QUANTITIES for end in ("", "_low", "_high")]
    rows = [
        {"testset": "drugs-etkdg", "method": method, "n": 12, "fell": 11, **dict.fromkeys(limits, 0.5)}
        for method in ("fast", "GFN2")
    ]
    table = tmp_path / "endings.csv"
    pd.DataFrame(rows).assign(median_energy_left=[0.123, 4.56]).to_csv(table, index=False)
    text = model_card.card("morered-jt-elastic", "mine-1", table, "docs/organic.md")
    assert text.startswith("# mine-1\n")
    facts = weights.facts("morered-jt-elastic")
    assert facts["elements"] == "H C N O S"
    for name, value in facts.items():
        assert f"| {name} | {value} |" in text
    assert "| drugs-etkdg | fast | 12 | 0.5 | 0.123 | 0.5 | 0.5 |" in text
    assert "| drugs-etkdg | GFN2 | 12 | 0.5 | 4.56 | 0.5 | 0.5 |" in text
    assert sha256(table)[:12] in text
    described = weights.describe("morered-jt-elastic")
    assert all(value in described for value in facts.values())
