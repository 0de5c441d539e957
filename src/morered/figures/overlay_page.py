"""The molecules of figures 5 and B2 to turn and zoom in a browser: minimum, input and every method's structure, laid over each
other as in the figure and switched on and off. One file that loads nothing; 3Dmol.js draws.
"""

from __future__ import annotations

import json
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from ase.data import chemical_symbols

from morered.figures.molecules import view
from morered.figures.overlays import FAILURE, INPUT, MINIMUM, SUCCESS
from morered.files import atomic_path
from morered.metrics.rmsd import superpose

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>@@title@@</title>
<meta http-equiv="Content-Security-Policy"
content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:">
<style>
body { font: 15px/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; color: #1a1a1a; margin: 1rem; }
h1 { font-size: 1.2rem; } select { font: inherit; max-width: 100%; }
#view { position: relative; height: 65vh; min-height: 320px; border: 1px solid #ccc; margin: .6rem 0; background: white; }
label { display: inline-block; margin-right: 1.2rem; } .swatch { display: inline-block; width: .9em; height: .9em; margin: 0 .3em;
border: 1px solid #555; vertical-align: -1px; } #noview { padding: 1rem; color: #666; }
</style></head>
<body>
<h1>@@title@@</h1>
<select id="molecule" aria-label="molecule"></select>
<div id="view"><div id="noview"></div></div>
<div id="layers"></div>
<p>Drag to turn, scroll to zoom. A result is green where it is nearer to the minimum than the input was, orange where it is
not; in brackets the RMSD from the minimum. Drawn by 3Dmol.js @@version@@; its licence is in this file.</p>
<script>/* @@licence@@ */</script>
<script>@@viewer@@</script>
<script>
const D = @@data@@;
const at = (id) => document.getElementById(id);
let viewer = null;
try {
  const canvas = document.createElement("canvas");
  if (!(canvas.getContext("webgl2") || canvas.getContext("webgl"))) throw new Error("no WebGL");
  viewer = $3Dmol.createViewer(at("view"), { backgroundColor: "white", antialias: true });
} catch { at("noview").textContent = "No 3D view: this browser offers no WebGL."; }
const line = (points) => (symbol, k) => `${symbol} ${points.slice(3 * k, 3 * k + 3).join(" ")}`;
const xyz = (symbols, points) => `${symbols.length}\\n\\n${symbols.map(line(points)).join("\\n")}`;
const hidden = new Set();
function show(keep) {
  const molecule = D[at("molecule").selectedIndex];
  at("layers").replaceChildren(...molecule.layers.map((layer) => {
    const label = document.createElement("label"), box = document.createElement("input"), swatch = document.createElement("span");
    box.type = "checkbox";
    box.checked = !hidden.has(layer.name);
    box.onchange = () => { hidden[box.checked ? "delete" : "add"](layer.name); show(true); };
    swatch.className = "swatch";
    swatch.style.background = layer.colour;
    label.append(box, swatch, layer.text);
    return label;
  }));
  if (viewer === null) return;
  viewer.removeAllModels();
  const shown = molecule.layers.filter((one) => one.points && !hidden.has(one.name));
  for (const { points, radius, colour, opacity } of shown)
    viewer.addModel(xyz(molecule.symbols, points), "xyz").setStyle({}, { stick: { radius, opacity, color: colour } });
  if (!keep) viewer.zoomTo();
  viewer.render();
  at("view").dataset.models = shown.length;
}
at("molecule").append(...D.map((molecule) => new Option(molecule.name)));
at("molecule").onchange = () => show(false);
show(false);
</script>
</body></html>
"""


def contents(drawn: pd.DataFrame) -> list[dict[str, Any]]:
    """What the page shows, as plain values for JSON.

    Parameters
    ----------
    drawn
        As `morered.figures.overlays.examples` gives it.

    Returns
    -------
    list
        For each test set and input: name, symbols [N] and layers, each with name, text, colour, radius (Å), opacity and
        points, flat coordinates [3 N] in Å laid over the minimum (None where there is no structure).
    """
    molecules = []
    for (testset, name), group in drawn.groupby(["testset", "id"], sort=False):
        first = group.iloc[0]
        turn = view(first["numbers"], first["minimum"])
        minimum = first["minimum"] - first["minimum"].mean(axis=0)
        layers = [
            _layer("minimum", "minimum", str(MINIMUM.colour), MINIMUM.stick / 2, minimum @ turn, opacity=0.75),
            _layer(
                "input",
                f"input ({first['rmsd_before']:.2f} Å)",
                "#BBBBBB",  # white, as in the figure, has no outline here
                INPUT.stick / 2,
                superpose(first["input"], minimum) @ turn,
                opacity=0.5,
            ),
        ]
        for _, row in group.iterrows():
            found = np.isfinite(row["positions"]).all()
            after = f"{row['rmsd_after']:.2f} Å" if np.isfinite(row["rmsd_after"]) else "no structure"
            colour = SUCCESS if row["ratio"] < 1 else FAILURE
            points = superpose(row["positions"], minimum) @ turn if found else None
            layers.append(_layer(row["method"], f"{row['method']} ({after})", colour, 0.08, points))
        symbols = [chemical_symbols[z] for z in first["numbers"]]
        molecules.append({"name": f"{name} ({testset})", "symbols": symbols, "layers": layers})
    return molecules


def page(drawn: pd.DataFrame, title: str) -> str:
    """The page as text."""
    version = json.loads(_text("VERSION.json"))
    data = json.dumps(contents(drawn), allow_nan=False, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {
        "title": escape(title),
        "version": version["version"],
        "licence": _text("LICENSE.txt").replace("*/", "* /"),
        "viewer": _text(version["file"]),
        "data": data,
    }
    pieces = _PAGE.split("@@")  # text, name, text, name, ..., text
    return "".join(parts[piece] if k % 2 else piece for k, piece in enumerate(pieces))


def write(drawn: pd.DataFrame, path: str | Path, title: str) -> None:
    """Write the page of what `morered.figures.overlays.examples` gave, complete or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(page(drawn, title), encoding="utf-8")


def _layer(name: str, text: str, colour: str, radius: float, points: Any, opacity: float = 1.0) -> dict[str, Any]:
    flat = None if points is None else np.asarray(points, float).round(3).ravel().tolist()
    return {"name": name, "text": text, "colour": colour, "radius": radius, "opacity": opacity, "points": flat}


def _text(name: str) -> str:
    return resources.files("morered").joinpath("viewer", name).read_text(encoding="utf-8")
