"""Where the files of a study's datasets lie, and what they are made from."""

import pytest

from morered.datasets import sources
from morered.settings.base import merged
from morered.study import ConfigError, Study, downloads

CONFIG = {
    "study": "mine",
    "datasets": {
        "qm7": {"kind": "qm7-pbe0"},
        "x": {"kind": "qm7x", "files": ["8000"]},
        "qm9": {"kind": "qm9"},
        "own": {"kind": "custom", "file": "some.sdf", "relax_with": "gfn2"},
    },
    "models": {
        "jt": {"kind": "morered-jt", "dataset": "x"},
        "mlff-x": {"kind": "mlff", "dataset": "x"},
        "mlff": {"kind": "mlff", "dataset": "qm7"},
    },
    "figures": [],
}


def with_dataset(name, **changes):
    return Study(merged(CONFIG, {"datasets": {name: changes}}))


def test_a_force_field_is_trained_on_labelled_structures():
    study = Study(CONFIG)
    assert study.training_data("jt") == f"{study.data_dir('x')}/minima.h5"
    assert study.training_data("mlff-x") == f"{study.data_dir('x')}/structures.h5"
    assert study.training_data("mlff") == study.displaced("qm7") != study.displaced("own")


@pytest.mark.parametrize(
    ("name", "change", "raw", "minima", "displaced"),
    [
        ("own", {"split": {"seed": 1}}, False, True, True),
        ("own", {"displaced": {"per_minimum": 5}}, False, False, True),
        ("own", {"displaced": {"chunks": 5}}, False, False, False),
        ("own", {"chunks": 7}, False, False, False),
        ("own", {"relax_with": "gfn1"}, True, True, True),
        ("own", {"file": "others.sdf"}, True, True, True),
        ("x", {"files": ["1000"]}, False, True, True),
        ("x", {"sources": "mirror.csv"}, True, True, True),
    ],
)
def test_files_are_shared_as_far_as_settings_allow(name, change, raw, minima, displaced):
    one, other = Study(CONFIG), with_dataset(name, **change)
    assert (one.raw_dir(name) != other.raw_dir(name)) == raw
    assert (one.data_dir(name) != other.data_dir(name)) == minima
    assert (one.displaced(name) != other.displaced(name)) == displaced


def test_smiles_need_a_calculator():
    with pytest.raises(ConfigError, match=r"datasets\.own: .*relax_with must name a calculator"):
        with_dataset("own", file="list.SMI", relax_with=None)


def test_a_custom_dataset_needs_a_file():
    config = {**CONFIG, "datasets": {**CONFIG["datasets"], "own": {"kind": "custom"}}}
    with pytest.raises(ConfigError, match=r"datasets\.own: needs the key 'file'"):
        Study(config)


def test_every_file_that_is_needed_is_listed():
    listed = downloads.listed(Study(CONFIG))
    assert {path.rsplit("/", 1)[0] for path in listed} == {f"results/data/raw/{name}" for name in ("qm7x", "qm9", "cifar10")}
    archive = listed["results/data/raw/qm7x/8000.xz"]
    found = sources.of_file(**archive.source)
    assert found.unpacked is not None
    assert archive.digests == (found.file.digest, found.unpacked.digest)
    assert downloads.files_of(Study(CONFIG).settings.datasets["x"]) == ["8000.xz", "DupMols.dat"]
    offline = with_dataset("qm9", source="qm9pack")
    assert downloads.files_of(offline.settings.datasets["qm9"]) == []


def test_a_table_that_cannot_be_read_is_a_fault_of_the_config(tmp_path):
    table = tmp_path / "table.csv"
    table.write_text("a,b\n1,2\n")
    with pytest.raises(ConfigError, match=r"datasets\.x\.sources: .*no table of sources"):
        downloads.listed(with_dataset("x", sources=str(table)))
    with pytest.raises(ConfigError, match=r"datasets\.qm9\.sources: .*nowhere\.csv"):
        downloads.listed(with_dataset("qm9", sources=str(tmp_path / "nowhere.csv")))
