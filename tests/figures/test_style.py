import itertools

import matplotlib as mpl
import pandas as pd
import pytest
from matplotlib.colors import to_rgb

from morered.figures import style


def figure():
    with style.look():
        drawn = style.new_figure(style.COLUMN, 2)
        axes = drawn.subplots()
        axes.plot([0, 1], [0, 1], label="a line")
        axes.set_xlabel("RMSD (Å)")
        axes.legend()
    return drawn


def test_the_papers_methods_have_colours_of_their_own():
    assert set(style.METHOD_COLOURS) >= {
        "MoreRed-ITP", "MoreRed-JT", "MoreRed-AS", "MLFF", "GFN2-xTB", "GFN1-xTB", "MMFF94", "MMFF94-tight", "SO3LR", "DDPM"
    }  # fmt: skip
    for a, b in itertools.combinations(style.METHOD_COLOURS.values(), 2):
        assert sum(abs(x - y) for x, y in zip(to_rgb(a), to_rgb(b), strict=True)) > 0.25


def test_any_other_name_has_a_stable_colour():
    assert style.colour("MoreRed-JT@eta=0.5") == style.colour("MoreRed-JT@eta=0.5") in style.OTHER_COLOURS
    # Fixed for good: a figure made next year has the same colours.
    assert [style.colour(name) for name in ("my-method", "XTB-tuned")] == ["#88CCEE", "#44AA99"]


def test_a_variant_has_its_methods_colour_where_that_is_free():
    apart = style.palette(["MoreRed-JT-SO3Net", "MLFF-SO3Net"])
    assert apart == {"MoreRed-JT-SO3Net": style.METHOD_COLOURS["MoreRed-JT"], "MLFF-SO3Net": style.METHOD_COLOURS["MLFF"]}
    together = style.palette(["MoreRed-JT-SO3Net", "MoreRed-JT"])
    assert together["MoreRed-JT"] == style.METHOD_COLOURS["MoreRed-JT"] != together["MoreRed-JT-SO3Net"]


def test_names_of_one_figure_do_not_share_a_colour_while_there_are_any():
    names = [f"jt@{k}" for k in range(len(style.OTHER_COLOURS))]
    assert len({style.colour(name) for name in names}) < len(names)  # some do share one
    colours = style.palette(["MLFF", *names])
    assert len(set(colours.values())) == len(names) + 1
    assert colours["MLFF"] == style.METHOD_COLOURS["MLFF"]
    assert list(colours) == ["MLFF", *names]
    assert style.palette(reversed(names)) == {name: colours[name] for name in names}
    assert len(style.palette([*names, "one more"])) == len(names) + 1


def test_saved_files_are_the_same_bytes_each_time(tmp_path, assert_figure):
    table = pd.DataFrame({"x": [0.1, 0.2], "y": [1, None]})
    for name in ("first", "second"):
        style.save(figure(), tmp_path / name / "fig.png", table)
    for ending in ("png", "pdf", "csv"):
        first, second = ((tmp_path / name / f"fig.{ending}").read_bytes() for name in ("first", "second"))
        assert first == second
    assert b"CreationDate" not in (tmp_path / "first" / "fig.pdf").read_bytes()
    assert (tmp_path / "first" / "fig.csv").read_text() == "x,y\n0.1,1.0\n0.2,\n"
    assert_figure(tmp_path / "first" / "fig", style.COLUMN)


def test_the_look_is_put_back():
    before = dict(mpl.rcParams)
    with pytest.raises(RuntimeError, match=r"8\.0"), style.look():
        raise RuntimeError(mpl.rcParams["font.size"])
    assert dict(mpl.rcParams) == before


def test_only_a_figures_endings_are_cut_off():
    assert style.stem_of("a/fig4.png").name == "fig4"
    assert style.stem_of("a/fig4").name == "fig4"
    assert style.stem_of("a/eta=0.5").name == "eta=0.5"
