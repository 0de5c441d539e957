"""Per-step records: collected in any order of molecules, stored, read, joined."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from morered import storage
from morered.structures import Column
from morered.trajectories import Recorder, Trajectories


@st.composite
def recordings(draw: st.DrawFn) -> tuple[list[int], list[int], Trajectories, list[list[tuple[float, np.ndarray]]]]:
    """Sizes, steps, the recorded trajectories, and what each molecule did, kept separately."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=1, max_size=5))
    steps = [draw(st.integers(0, 6)) for _ in sizes]
    keeps = [draw(st.booleans()) for _ in sizes]
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    recorder = Recorder([f"m{m}" for m in range(len(sizes))], {"time": "1", "energy": "eV"})
    done: list[list[tuple[float, np.ndarray]]] = [[] for _ in sizes]
    for step in range(max(steps)):
        active = generator.permutation([m for m in range(len(sizes)) if steps[m] > step])
        times = generator.random(len(active))
        frames = [generator.normal(size=(sizes[m], 3)).astype(np.float32) for m in active]
        recorder.add(
            active,
            {"time": times, "energy": -times},
            [x if keeps[m] else np.empty((0, 3)) for m, x in zip(active, frames, strict=True)],
        )
        for m, t, x in zip(active, times, frames, strict=True):
            done[m].append((t, x if keeps[m] else np.empty((0, 3))))
    return sizes, steps, recorder.finish(), done


@settings(deadline=None, max_examples=40)
@given(recordings())
def test_what_was_recorded_comes_back_by_molecule(
    tmp_path_factory: pytest.TempPathFactory, recording: tuple[list[int], list[int], Trajectories, list]
) -> None:
    sizes, steps, recorded, done = recording
    path = tmp_path_factory.getbasetemp() / "steps.h5"
    recorded.write(path, {"stage": "test"})
    assert storage.read_provenance(path) == {"stage": "test"}
    half = Trajectories.read(path)
    for t in (recorded, half, Trajectories.concatenate([half])):
        assert t.lengths.tolist() == steps
        assert t.step_index.tolist() == [i for n in steps for i in range(n)]
        assert t.molecule_index.tolist() == [m for m, n in enumerate(steps) for _ in range(n)]
        for m, trajectory in enumerate(t):
            assert trajectory.id == f"m{m}"
            if max(steps):
                assert trajectory.columns["time"].tolist() == [time for time, _ in done[m]]
            kept = [x for _, x in done[m] if len(x)]
            if kept:
                np.testing.assert_array_equal(trajectory.frames, np.stack(kept))
                assert trajectory.frames is not None
                assert trajectory.frames.shape == (steps[m], sizes[m], 3)
            else:
                assert trajectory.frames is None


def simple(name: str, n_steps: int, frames: bool) -> Trajectories:
    recorder = Recorder([name], {"fmax": "eV/Å"})
    for step in range(n_steps):
        recorder.add([0], {"fmax": [step]}, [np.full((2, 3), step)] if frames else None)
    return recorder.finish()


def test_joining_parts_with_and_without_frames() -> None:
    joined = Trajectories.concatenate([simple("a", 2, False), simple("b", 3, True), simple("c", 1, True)])
    assert repr(joined) == "Trajectories(3 molecules, 6 steps; fmax, frames kept)"
    assert joined.columns["fmax"].unit == "eV/Å"
    assert joined.of("a").frames is None
    assert joined.of("b").frames[:, 0, 0].tolist() == [0, 1, 2]
    assert joined.trajectory(-1).id == "c"
    assert len(Trajectories.concatenate([])) == 0


def test_refusals() -> None:
    with pytest.raises(ValueError, match="columns differ"):
        Trajectories.concatenate([simple("a", 1, False), Trajectories(np.array([b"b"]), np.array([0, 0]))])
    with pytest.raises(KeyError, match="no trajectory of 'z'"):
        simple("a", 1, False).of("z")
    with pytest.raises(IndexError):
        simple("a", 1, False).trajectory(1)
    recorder = Recorder(["a", "b"])
    recorder.add([0, 1], {"time": [0.5, 0.5]})
    with pytest.raises(ValueError, match="after"):
        recorder.add([0], {"energy": [0.5]})
    with pytest.raises(ValueError, match="for 1 molecules"):
        recorder.add([0], {"time": [0.5, 0.5]})
    with pytest.raises(ValueError, match="1 frames for 2"):
        recorder.add([0, 1], {"time": [0.5, 0.5]}, [np.zeros((2, 3))])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"offsets": np.array([0, 2])}, "offsets must be 3"),
        ({"offsets": np.array([0, 2, 1])}, "do not fall"),
        ({"columns": {"time": Column(np.zeros(4))}}, "'time' must have 3 steps"),
        ({"frames": np.zeros((3, 3))}, "come together"),
        ({"frames": np.zeros((3, 2)), "frame_offsets": np.array([0, 2, 3])}, r"\[rows, 3\]"),
        ({"frames": np.zeros((4, 3)), "frame_offsets": np.array([0, 2, 3])}, "end at 4"),
        (
            {"frames": np.zeros((4, 3)), "frame_offsets": np.array([0, 3, 4])},
            "3 rows of frames do not fit the 2 steps of molecule 'a'",
        ),
    ],
)
def test_arrays_that_do_not_fit(arrays: dict, message: str) -> None:
    base: dict = {"ids": np.array([b"a", b"b"]), "offsets": np.array([0, 2, 3])}
    with pytest.raises(ValueError, match=message):
        Trajectories(**{**base, **arrays})


def test_structures_are_not_trajectories(tmp_path: Path) -> None:
    simple("a", 1, True).write(tmp_path / "t.h5")
    with pytest.raises(storage.StorageError, match="holds morered trajectories, not morered structures"):
        storage.read(tmp_path / "t.h5")


def test_an_engine_may_reuse_its_arrays() -> None:
    recorder = Recorder(["a"])
    time, frame = np.zeros(1), np.zeros((2, 3), dtype=np.float32)
    for step in range(3):
        time[:], frame[:] = step, step
        recorder.add([0], {"time": time}, [frame])
    found = recorder.finish().trajectory(0)
    assert found.columns["time"].tolist() == [0, 1, 2]
    assert found.frames is not None
    assert found.frames[:, 1, 2].tolist() == [0, 1, 2]
