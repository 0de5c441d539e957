"""Files of Gaussian and ORCA, beyond what ASE reads of them: total charge and multiplicity, and which geometry is meant."""

from __future__ import annotations

import re

from morered.formats.records import Reading

_CHARGES = {
    # after the route and the title, each of which ends at an empty line
    "gaussian-in": re.compile(
        r"^[ \t]*#(?:.*\S.*\n)+\s*\n(?:.*\S.*\n)+\s*\n[ \t]*(?P<charge>[-+]?\d+)[ \t,]+(?P<multiplicity>\d+)", re.MULTILINE
    ),
    "gaussian-out": re.compile(r"^ Charge =\s*(?P<charge>[-+]?\d+)\s+Multiplicity =\s*(?P<multiplicity>\d+)", re.MULTILINE),
    "orca-output": re.compile(
        r"^\s*Total Charge\s+Charge\s+\.+\s*(?P<charge>[-+]?\d+)\s*\n"
        r"\s*Multiplicity\s+Mult\s+\.+\s*(?P<multiplicity>\d+)",
        re.MULTILINE,
    ),
}
#: ASE's names of their formats.
KINDS = tuple(_CHARGES)


def completed(reading: Reading, kind: str, text: str) -> Reading:
    """The molecule of a file with its charge and multiplicity: the last of its geometries, and what is broken after it.

    Parameters
    ----------
    reading
        Every geometry, as ASE finds them.
    kind
        One of `KINDS`.
    text
        The output itself.
    """
    records = [record for record in reading.records if record.problem is not None]
    remarks = list(reading.remarks)
    if good := reading.good:
        records.insert(0, good[-1])
        if len(good) > 1:
            remarks.append(f"{reading.source}: the last of {len(good)} geometries is taken")
    stated = list(_CHARGES[kind].finditer(text))
    for record in records:
        if stated and record.problem is None:
            of_it = stated[0 if kind == "gaussian-in" else -1]  # a further step of an input has no geometry of its own
            record.charge = int(of_it["charge"])
            record.unpaired = int(of_it["multiplicity"]) - 1
    return Reading(reading.source, records, remarks)
