"use strict";
// Names and reasons come from people's files: they are set as text, never as HTML.
const D = JSON.parse(document.getElementById("data").textContent);
// A column holds a value of each molecule; structures and curves are texts of their own, read when a molecule is looked at.
D.molecules = D.table.verdict.map((_, m) => ({ values: Object.fromEntries(D.columns.map(({ key }) => [key, D.table[key][m]])) }));
const details = document.getElementById("details").textContent.trim().split("\n");
const seen = (m) => Object.assign(D.molecules[m], D.molecules[m].symbols ? {} : JSON.parse(details[m]));
const $ = (id) => document.getElementById(id);
const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

// ------------------------------------------------------------------ texts

const short = (x) => {
  if (x === null || x === undefined) return "–";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (Number.isInteger(x) && size < 1e7) return String(x);
  if (size >= 100 && size < 1e5) return x.toFixed(0);
  if (size < 1e-3 || size >= 1e5) return x.toExponential(1).replace("e+", "e");
  return String(Number(x.toPrecision(3)));
};
const CHECKS = { kept: ["changed", "kept"], passed: ["not passed", "passed"] };
const show = (column, value) => {
  if (column.kind in CHECKS) return CHECKS[column.kind][value] ?? "–";
  return column.kind === "number" ? short(value) : value ?? "–";
};
const badge = (verdict, node = make("span")) => {
  node.className = "badge";
  node.textContent = verdict;
  node.style.setProperty("--of", `var(--${verdict})`);
  return node;
};

// ------------------------------------------------------------------ table

const columns = D.columns.filter((column) => column.table);
const state = { sort: null, down: false, verdict: null, words: "", order: [], shown: [0, 0], chosen: -1 };

function rowOf(m) {
  const molecule = D.molecules[m];
  const row = make("tr", { onclick: () => select(m) });
  if (m === state.chosen) row.setAttribute("aria-selected", "true");
  row.dataset.m = m;
  for (const column of columns) {
    const value = molecule.values[column.key];
    const cell = make("td", { className: column.kind === "number" ? "number" : column.key === "name" ? "name" : "" });
    if (column.kind === "verdict") {
      cell.append(badge(value));
      cell.title = molecule.values.reason;
    } else {
      cell.textContent = show(column, value);
      if (column.kind in CHECKS && value >= 0) cell.className = value ? "yes" : "no";
      if (column.key === "name") cell.title = value;
    }
    row.append(cell);
  }
  return row;
}

for (const column of columns) {
  const head = make("th", { scope: "col", className: column.kind === "number" ? "number" : "" });
  head.dataset.key = column.key;
  head.append(make("button", { type: "button", textContent: column.label, title: column.title, onclick: () => sortBy(column) }));
  $("heads").append(head);
}

function sortBy(column) {
  state.down = state.sort === column ? !state.down : false;
  state.sort = column;
  list();
}

// Those without a value come last, whichever way it is sorted; equals stay in the order of the input.
function compare(a, b) {
  const { key, kind } = state.sort;
  const [x, y] = [a, b].map((m) => D.molecules[m].values[key]);
  const none = (v) => v === null || v === undefined || (kind in CHECKS && v < 0);
  if (none(x) || none(y)) return none(x) - none(y);
  const order = typeof x === "number" ? x - y : String(x).localeCompare(String(y), "en", { numeric: true });
  return state.down ? -order : order;
}

function list() {
  const words = state.words.toLowerCase();
  state.order = D.molecules.map((_, m) => m).filter((m) => {
    const { name, formula, reason, verdict } = D.molecules[m].values;
    return (state.verdict === null || verdict === state.verdict) && `${name}\n${formula}\n${reason}`.toLowerCase().includes(words);
  });
  if (state.sort) state.order.sort(compare);
  state.shown = [0, 0];
  $("scroll").scrollTop = 0;
  showRows(true);
  $("none").hidden = state.order.length > 0;
  for (const head of $("heads").children) {
    const sorted = state.sort && head.dataset.key === state.sort.key;
    head.setAttribute("aria-sort", sorted ? (state.down ? "descending" : "ascending") : "none");
  }
}

// Of many molecules only the rows that are in sight are there, between two empty ones as high as the others would be.
const ALL = 200, BESIDE = 40;
let rowHeight = 0;

function showRows(anew = false) {
  const box = $("scroll");
  const count = state.order.length;
  let [from, to] = [0, count];
  if (count > ALL) {
    const high = rowHeight || 24;
    const first = Math.floor(box.scrollTop / high);
    const last = first + Math.ceil(box.clientHeight / high);
    const [a, b] = state.shown;
    if (!anew && first >= a && Math.min(last, count) <= b) return;
    from = Math.max(0, Math.min(first, count) - BESIDE);
    to = Math.min(count, last + BESIDE);
  }
  state.shown = [from, to];
  $("rows").replaceChildren(...state.order.slice(from, to).map(rowOf));
  if (count > ALL) {
    rowHeight ||= $("rows").firstChild.getBoundingClientRect().height;
    // Columns keep the width that they once had: the table would tremble.
    for (const head of $("heads").children) head.style.minWidth = `${head.getBoundingClientRect().width}px`;
  }
  for (const [id, rows] of [["above", from], ["below", count - to]]) $(id).style.height = `${rows * rowHeight}px`;
}

function scrollTo(place) {
  const box = $("scroll");
  if (state.order.length > ALL) {
    const [top, head] = [place * rowHeight, $("heads").getBoundingClientRect().height];
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + rowHeight + head > box.scrollTop + box.clientHeight) box.scrollTop = top + rowHeight + head - box.clientHeight;
    showRows();
  } else $("rows").children[place].scrollIntoView({ block: "nearest" });
}

$("scroll").addEventListener("scroll", () => showRows());

for (const verdict of ["converged", "changed", "step-cap", "refused", "failed"]) {
  const count = D.molecules.filter((molecule) => molecule.values.verdict === verdict).length;
  if (!count) continue;
  const button = make("button", { type: "button", textContent: `${count} ${verdict}` });
  button.style.setProperty("--of", `var(--${verdict})`);
  button.setAttribute("aria-pressed", "false");
  button.onclick = () => {
    state.verdict = state.verdict === verdict ? null : verdict;
    for (const other of $("counts").children) other.setAttribute("aria-pressed", String(other === button && state.verdict !== null));
    list();
  };
  $("counts").append(button);
}

$("search").oninput = (event) => {
  state.words = event.target.value.trim();
  list();
};

document.addEventListener("keydown", (event) => {
  const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!by || event.ctrlKey || event.metaKey || event.altKey || !state.order.length) return;
  const place = state.order.indexOf(state.chosen);
  const next = Math.min(Math.max(place + by, 0), state.order.length - 1);
  event.preventDefault();
  scrollTo(next);
  select(state.order[next]);
});

// ------------------------------------------------------------------ 3D view

const GREY = "#a9a9a9", UNKNOWN = "#d06ab0", MADE = "#0072b2", LOST = "#d55e00";
const COLOURS = {
  H: "#f4f4f4", B: "#e8a0a0", C: "#1b8a7a", N: "#3050f8", O: "#ee2010", F: "#70c050", Si: "#daa520", P: "#ff8000", S: "#e6c619",
  Cl: "#1fb01f", Br: "#a62929", I: "#940094",
};
let viewer = null;

function openViewer() {
  try {
    const canvas = document.createElement("canvas");
    if (!(canvas.getContext("webgl2") || canvas.getContext("webgl"))) throw new Error("no WebGL");
    viewer = $3Dmol.createViewer($("viewer"), { backgroundColor: "white", antialias: true });
    viewer.setProjection("orthographic");
    new ResizeObserver(() => viewer.resize()).observe($("viewer"));
  } catch (error) {
    viewer = null;
  }
}

function addModel(molecule, points, pairs, after) {
  const hydrogens = $("show-hydrogens").checked;
  const atoms = molecule.symbols.map((elem, k) => ({
    elem, serial: k, index: k, x: points[3 * k], y: points[3 * k + 1], z: points[3 * k + 2], bonds: [], bondOrder: [],
  }));
  for (const [i, j] of pairs) {
    for (const [a, b] of [[i, j], [j, i]]) {
      atoms[a].bonds.push(b);
      atoms[a].bondOrder.push(1);
    }
  }
  const model = viewer.addModel();
  model.addAtoms(atoms);
  const colorfunc = (atom) => (after ? COLOURS[atom.elem] || UNKNOWN : GREY);
  const style = (ball) => ({ stick: { radius: after ? 0.11 : 0.065, colorfunc }, sphere: { radius: ball, colorfunc } });
  model.setStyle({}, style(after ? 0.24 : 0.1));
  model.setStyle({ elem: "H" }, hydrogens ? style(after ? 0.16 : 0.08) : {});
}

function addChanges(points, pairs, color) {
  const at = (k) => ({ x: points[3 * k], y: points[3 * k + 1], z: points[3 * k + 2] });
  for (const [i, j] of pairs) {
    viewer.addCylinder({ start: at(i), end: at(j), radius: 0.13, color, dashed: true, dashLength: 0.16, gapLength: 0.12, fromCap: 2, toCap: 2 });
  }
}

// Zoom in until the molecule fills the view, which zoomTo is far from where it is wide or small.
function fill({ before, after }) {
  const points = [before, after ?? []].flatMap((flat) => Array.from({ length: flat.length / 3 }, (_, k) => flat.slice(3 * k, 3 * k + 3)));
  const seen = viewer.modelToScreen(points.map(([x, y, z]) => ({ x, y, z })));
  const span = (axis) => Math.max(...seen.map((p) => p[axis])) - Math.min(...seen.map((p) => p[axis]));
  const box = $("viewer").getBoundingClientRect();
  const factor = 0.78 * Math.min(box.width / span("x"), box.height / span("y"));
  if (Number.isFinite(factor)) viewer.zoom(Math.min(factor, 2.5));
}

// What has been drawn is told by data attributes, which tests read.
function draw(turn = false) {
  const molecule = D.molecules[state.chosen];
  const missing = viewer === null ? "No 3D view: this browser offers no WebGL." : molecule.before === null ? "No structure to show." : "";
  $("noview").textContent = missing;
  $("noview").hidden = !missing;
  $("reset").hidden = Boolean(missing);
  $("switches").hidden = Boolean(missing);
  $("viewer").dataset.state = missing ? "none" : "drawn";
  if (viewer === null) return;
  viewer.removeAllModels();
  viewer.removeAllShapes();
  let models = 0;
  if (!missing) {
    const { kept, lost, made } = molecule.bonds;
    const moved = molecule.after !== null;
    if ($("show-before").checked || !moved) {
      addModel(molecule, molecule.before, kept.concat(lost), false);
      addChanges(molecule.before, lost, LOST);
      models += 1;
    }
    if ($("show-after").checked && moved) {
      addModel(molecule, molecule.after, kept.concat(made), true);
      addChanges(molecule.after, made, MADE);
      models += 1;
    }
    $("bondkeys").hidden = !(moved && lost.length + made.length);
    $("show-after").disabled = $("show-before").disabled = !moved;
    if (turn) {
      viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
      viewer.zoomTo();
      viewer.render();
      fill(molecule);
    }
  }
  viewer.render();
  Object.assign($("viewer").dataset, { models, molecule: molecule.values.name });
}

for (const id of ["show-before", "show-after", "show-hydrogens"]) $(id).onchange = () => draw();
$("reset").onclick = () => draw(true);

// ------------------------------------------------------------------ step curves

const SVG = "http://www.w3.org/2000/svg";
const svg = (tag, attributes, text) => {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};

function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= raw * 0.999);
  const found = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-9) + 1e-12; k += 1) found.push(Number((k * step).toPrecision(12)));
  return found;
}

function decades(low, high) {
  const [a, b] = [Math.ceil(low - 1e-9), Math.floor(high + 1e-9)];
  const every = Math.max(1, Math.ceil((b - a + 1) / 6));
  return Array.from({ length: Math.max(0, b - a + 1) }, (_, k) => a + k).filter((k) => (k - a) % every === 0);
}

function drawCurve(curve) {
  const [width, height, left, right, top, bottom] = [340, 190, 48, 12, 24, 36];
  const points = curve.steps.map((s, k) => [s, curve.values[k]]).filter(([, y]) => y !== null && (!curve.log || y > 0));
  const plot = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${curve.label} by step` });
  plot.append(svg("text", { x: left, y: 13, "font-weight": 600 }, curve.label));
  if (!points.length) return plot;
  const aims = curve.aim === null ? [] : [curve.aim];
  const level = (y) => (curve.log ? Math.log10(y) : y);
  const levels = [...points.map(([, y]) => y), ...aims].map(level);
  let [low, high] = [Math.min(...levels), Math.max(...levels)];
  if (curve.log) [low, high] = [Math.floor(low), Math.ceil(high + 1e-9)];
  else [low, high] = [Math.min(0, low), Math.max(high * 1.06, 1e-9)];
  const [first, last] = [points[0][0], Math.max(points.at(-1)[0], points[0][0] + 1)];
  const x = (s) => left + ((s - first) / (last - first)) * (width - left - right);
  const y = (v) => height - bottom - ((v - low) / (high - low || 1)) * (height - top - bottom);
  for (const t of curve.log ? decades(low, high) : ticks(low, high, 4)) {
    plot.append(svg("line", { x1: left, x2: width - right, y1: y(t), y2: y(t), class: "grid" }));
    const text = svg("text", { x: left - 6, y: y(t) + 4, "text-anchor": "end" });
    if (curve.log) text.append("10", svg("tspan", { dy: -5, "font-size": 8 }, String(t)));
    else text.textContent = short(t);
    plot.append(text);
  }
  for (const t of ticks(first, last, 5).filter(Number.isInteger)) {
    plot.append(svg("line", { x1: x(t), x2: x(t), y1: height - bottom, y2: height - bottom + 4, class: "axis" }));
    plot.append(svg("text", { x: x(t), y: height - bottom + 16, "text-anchor": "middle" }, String(t)));
  }
  plot.append(svg("text", { x: (left + width - right) / 2, y: height - 3, "text-anchor": "middle" }, "step"));
  plot.append(svg("path", { d: `M${left} ${top}V${height - bottom}H${width - right}`, class: "axis" }));
  for (const aim of aims) plot.append(svg("line", { x1: left, x2: width - right, y1: y(level(aim)), y2: y(level(aim)), class: "aim" }));
  plot.append(svg("path", { d: points.map(([s, v], k) => `${k ? "L" : "M"}${x(s).toFixed(1)} ${y(level(v)).toFixed(1)}`).join(""), class: "line" }));
  if (points.length <= 60) for (const [s, v] of points) plot.append(svg("circle", { cx: x(s), cy: y(level(v)), r: 2, class: "dot" }));
  const said = svg("text", { x: width - right, y: 13, "text-anchor": "end", class: "said" });
  const mark = svg("circle", { r: 3.5, class: "dot" });
  const tell = ([s, v]) => {
    said.textContent = `step ${s}: ${short(v)}${curve.unit ? ` ${curve.unit}` : ""}`;
    mark.setAttribute("cx", x(s));
    mark.setAttribute("cy", y(level(v)));
  };
  tell(points.at(-1));
  plot.append(mark, said);
  plot.onpointermove = (event) => {
    const box = plot.getBoundingClientRect();
    const here = ((event.clientX - box.left) / box.width) * width;
    tell(points.reduce((best, point) => (Math.abs(x(point[0]) - here) < Math.abs(x(best[0]) - here) ? point : best)));
  };
  plot.onpointerleave = () => tell(points.at(-1));
  return plot;
}

// ------------------------------------------------------------------ the molecule selected

function select(m) {
  if (m === state.chosen) return;
  state.chosen = m;
  for (const row of $("rows").children) {
    if (Number(row.dataset.m) === m) row.setAttribute("aria-selected", "true");
    else row.removeAttribute("aria-selected");
  }
  const { values, curves } = seen(m);
  $("name").textContent = values.name;
  badge(values.verdict, $("badge"));
  $("reason").textContent = values.reason;
  $("curves").replaceChildren(...curves.map(drawCurve));
  const details = D.columns.filter((c) => !["name", "verdict", "reason"].includes(c.key) && show(c, values[c.key]) !== "–");
  $("values").replaceChildren(
    ...details.map((c) => make("div", { title: c.title }, make("dt", { textContent: c.long }), make("dd", { textContent: show(c, values[c.key]) }))),
  );
  draw(true);
}

$("about").textContent = D.about;
$("foot").textContent = D.foot;
document.querySelector("main").classList.toggle("alone", D.molecules.length === 1);
$("counts").hidden = D.molecules.length < 2;
openViewer();
list();
if (D.molecules.length) select(0);
else document.querySelector("main").replaceChildren(make("p", { className: "empty", textContent: "There are no molecules." }));
document.body.dataset.ready = Math.round(performance.now());  // ms: what a benchmark reads
