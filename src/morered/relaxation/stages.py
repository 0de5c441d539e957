"""Relaxes with several methods. Each goes on from where the one before it ended, and each molecule gets one verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from morered.relaxation.entry import relax
from morered.relaxation.merging import merged, start_of
from morered.relaxation.recording import Recording
from morered.relaxation.result import RelaxationInterrupted, Result
from morered.settings.relaxation import Method
from morered.structures import Structures


def relax_stages(
    structures: Structures, stages: Sequence[Method], *, recording: Recording | None = None, **options: Any
) -> Result:
    """Relax with each method in turn.

    Parameters
    ----------
    structures
        M molecules.
    stages
        At least one method. A molecule that one refuses, or fails on, stays where the one before it left it, and is tried by
        the next one from there; one that it changed into another molecule is tried from the input.
    recording
        What is kept of the steps; frames are kept of the first stage only.
    **options
        Those of `morered.relaxation.relax`.

    Returns
    -------
    Result
        The verdict is the last stage's, and so is the reason, which says of a molecule that the stage before it did not relax why
        not; steps and seconds are sums; first values are the first stage's, last values the last one's; distance, bonds and
        stereochemistry are compared with the input.
    """
    done = _relax(structures, stages[0], recording=recording, **options)
    if recording is not None:
        recording = replace(recording, frames=False)
    for stage in stages[1:]:
        if done.interrupted:
            break
        try:
            start = start_of(structures, done.structures)
            part = _relax(start, stage, recording=recording, **options)
        except KeyboardInterrupt:  # before this stage began: the one before it keeps its results
            done.interrupted = True
            break
        done = merged(structures, start, done, part)
    return done


def _relax(structures: Structures, method: Method, **options: Any) -> Result:
    try:
        return relax(structures, method, **options)
    except RelaxationInterrupted as stop:
        return stop.result
