"""Damaged files: no traceback, no hang, and the molecules around the damage unchanged.

Hypothesis damages good files in ways that once ended runs. In CI it takes the same few examples each time; by hand

    MORERED_FUZZ=20000 pytest tests/formats/test_fuzz.py

takes so many new ones for each test.
"""

import contextlib
import os
import sqlite3
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from morered import formats
from morered.formats.sdf import parse_sdf
from morered.formats.sources import SourceProblem
from morered.formats.xyz import parse_xyz
from morered.inputs import Inputs
from morered.structures import Structures
from structures_support import METHANE, WATER

EXAMPLES = int(os.environ.get("MORERED_FUZZ", "0"))
fuzz = settings(
    max_examples=EXAMPLES or 60,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

XYZ = "3\nname={name} charge=0\nO 0 0 0.119\nH 0 0.763 -0.477\nH 0 -0.763 -0.477\n"
SDF = """{name}
     RDKit          3D

  3  2  0  0  0  0  0  0  0  0999 V2000
    0.0000    0.0000    0.1190 O   0  0
    0.0000    0.7630   -0.4770 H   0  0
    0.0000   -0.7630   -0.4770 H   0  0
  1  2  1  0
  1  3  1  0
M  END
>  <value>
000{name}

$$$$
"""
PDB = """MODEL        1
ATOM      1  O   HOH A   1       0.000   0.000   0.119  1.00  0.00           O
ATOM      2  H1  HOH A   1       0.000   0.763  -0.477  1.00  0.00           H
ATOM      3  H2  HOH A   1       0.000  -0.763  -0.477  1.00  0.00           H
ENDMDL
"""

odd = st.one_of(
    st.text(max_size=30),
    st.binary(max_size=30).map(lambda raw: raw.decode("latin-1")),
    st.sampled_from(
        [
            "9" * 5000,
            "-1",
            "0",
            "1e400",
            "nan",
            "[" * 3000,
            "[[" * 50,
            '{"units": []}',
            '{"shapes": {"x": [1000000000, 1000000000]}, "name": 7}',
            '_JSON {"a": "\\ud800"}',
            "_JSON " + "[" * 5000,
            "\0",
            "M  CHG  1   1  99",
            "M  RAD  1   9   9",
            "charge=1.5",
            "spin=-3",
            "\ud800",
            "$$$$",
            "M  END",
            ">  <" + "<" * 200,
            "Properties=species:S:1:pos:R:3:x:R:99",
            "Properties=pos:R:3",
        ]
    ),
)


@st.composite
def damaged(draw, text):
    """The text with a few lines, tokens or stretches of it replaced."""
    lines = text.split("\n")
    for _ in range(draw(st.integers(1, 3))):
        k = draw(st.integers(0, len(lines) - 1))
        how = draw(st.sampled_from(["line", "insert", "cut", "token", "repeat"]))
        if how == "line":
            lines[k] = draw(odd)
        elif how == "insert":
            lines.insert(k, draw(odd))
        elif how == "cut":
            lines[k] = lines[k][: draw(st.integers(0, len(lines[k])))]
        elif how == "repeat":
            lines[k:k] = [lines[k]] * draw(st.integers(1, 5))
        elif words := lines[k].split(" "):
            words[draw(st.integers(0, len(words) - 1))] = draw(odd)
            lines[k] = " ".join(words)
    return "\n".join(lines)


def check(reading: formats.Reading, folder, names: tuple[str, str]) -> None:
    """Whatever was read can be told, joined and written, and the two good molecules are what they were."""
    assert all(isinstance(sentence, str) for sentence in (*reading.problems, *reading.notes))
    structures = reading.structures()
    good = [record for record in reading.records if record.name in names]
    assert len(good) == 2
    for record in good:
        assert record.problem is None
        np.testing.assert_allclose(record.positions, WATERS, atol=1e-12)
    inputs = Inputs(reading, [])
    for ending in ("xyz", "sdf", "h5", "db") if EXAMPLES else ("xyz", "sdf"):
        path = folder / f"out.{ending}"
        if ending in ("xyz", "sdf"):
            options = {"templates": reading.templates} if ending == "sdf" else {}
            formats.write(path, inputs.structures, carried=reading.carried, **options)
        else:
            formats.write(path, structures)
        again = formats.read(path)
        assert set(names) <= {record.name for record in again.records if record.problem is None}


WATERS = [[0, 0, 0.119], [0, 0.763, -0.477], [0, -0.763, -0.477]]


@fuzz
@given(damaged(XYZ.format(name="bad")))
def test_a_damaged_xyz_between_good_ones(tmp_path_factory, text):
    # The two good ones are set apart by blank lines, so that a cut or repeated line of the damaged one is not theirs.
    whole = f"{XYZ.format(name='first')}\n{text}\n\n{XYZ.format(name='last')}"
    reading = parse_xyz(whole.replace("\0", "\ufffd"), "in.xyz", "in")
    if not {"first", "last"} <= {record.name for record in reading.records}:
        # A count that is too large by chance swallows what follows it, never what came before.
        assert reading.records[0].name == "first"
        return
    check(reading, tmp_path_factory.getbasetemp(), ("first", "last"))


@fuzz
@given(damaged(SDF.format(name="bad").removesuffix("$$$$\n")))
def test_a_damaged_sdf_between_good_ones(tmp_path_factory, text):
    whole = f"{SDF.format(name='first')}{text}\n$$$$\n{SDF.format(name='last')}"
    reading = parse_sdf(whole.replace("\0", "\ufffd"), "in.sdf", "in")
    check(reading, tmp_path_factory.getbasetemp(), ("first", "last"))
    for name in ("first", "last"):
        assert next(r for r in reading.records if r.name == name).info == {"value": f"000{name}"}


@fuzz
@given(damaged(PDB), st.sampled_from(["pdb", "xyz", "sdf", "mol", "extxyz", "cif", "gen", "json", "db", "h5"]))
def test_any_file_is_read_or_refused_in_a_sentence(tmp_path_factory, text, ending):
    path = tmp_path_factory.getbasetemp() / f"any.{ending}"
    path.write_bytes(text.encode(errors="replace"))
    reading = formats.read(path)
    assert reading.records
    assert all(isinstance(problem, str) and problem.startswith(str(path)) for problem in reading.problems)
    reading.structures()


@settings(fuzz, max_examples=EXAMPLES or 20)
@given(
    st.sampled_from(["numbers", "positions", "data", "key_value_pairs", "cell", "pbc", "natoms", "constraints"]),
    st.one_of(st.binary(max_size=40), odd.filter(lambda text: "\ud800" not in text), st.none(), st.integers(0, 5)),
)
def test_a_damaged_row_of_a_database_costs_that_row(tmp_path_factory, column, value):
    path = tmp_path_factory.getbasetemp() / "rows.db"
    path.unlink(missing_ok=True)
    s = Structures.build([WATER[0], METHANE[0], WATER[0]], [WATER[1], METHANE[1], WATER[1]], ["a", "b", "c"])
    formats.write(path, s)
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE systems SET {column} = ? WHERE id = 2", (value,))
    connection.close()
    reading = formats.read(path)
    assert len(reading.records) == 3
    assert [record.name for record in reading.good if record.name in "ac"] == ["a", "c"]
    np.testing.assert_array_equal(reading.records[2].positions, WATER[1])
    reading.structures()


@pytest.mark.parametrize(
    ("kind", "unit"),
    [
        ("equal names", XYZ.format(name="same")),
        ("ones", "1\n"),
        ("open brackets", "1\na=[[ b={ c=' d=\"\nH 0 0 0\n"),
        ("sdf without ends", "x\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n"),
        ("sdf fields", ">  <" + "<" * 40 + "\n"),
    ],
)
def test_reading_takes_time_in_proportion_to_the_file(kind, unit):
    """Four times the file, well below sixteen times the time; the least of three, as other programs share the caches."""

    def seconds(count):
        parse = parse_sdf if "sdf" in kind else parse_xyz
        times = []
        for _ in range(3):
            begin = time.process_time()
            with contextlib.suppress(SourceProblem):
                parse(unit * count, "a", "b")
            times.append(time.process_time() - begin)
        return min(times)

    seconds(200)
    small = max(seconds(1000), 2e-3)
    assert seconds(4000) < 10 * small


def test_one_long_line_is_read_at_once():
    for line in ("a=[[ " * 40_000, '"' * 200_001, "[" * 200_000, "k='" * 50_000, "a={" * 80_000, " " * 200_000 + "a=1"):
        begin = time.process_time()
        parse_xyz(f"1\n{line}\nH 0 0 0\n", "a", "b")
        parse_sdf(f"a\n\n\n  0  0  0  0  0  0  0  0  0  0999 V2000\nM  END\n>  <{line}>\n{line}\n\n$$$$\n", "a", "b")
        assert time.process_time() - begin < 5.0
