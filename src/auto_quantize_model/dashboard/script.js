"use strict";
// Names come from manifests that anybody may have written: they go into the page as text, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const SVG = "http://www.w3.org/2000/svg";
const FIRST_ROWS = 200;

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// 0.00566 as 5.7m: the same form as in the figures.
function engineering(value, digits = 2) {
  if (value === null || value === undefined) return "n/a";
  if (value === 0) return "0";
  const prefixes = [[1, ""], [1e-3, "m"], [1e-6, "µ"], [1e-9, "n"], [1e-12, "p"]];
  const rounded = Math.abs(Number(value.toPrecision(digits)));
  const [size, symbol] = prefixes.find(([each]) => rounded >= each) || prefixes[prefixes.length - 1];
  return Number((value / size).toPrecision(digits)).toString() + symbol;
}

const percent = (value) => (value === null || value === undefined || !isFinite(value) ? "n/a" : `${Math.round(100 * value)} %`);
const known = (value) => value !== null && value !== undefined;
const sum = (values) => values.reduce((total, value) => total + value, 0);
const unique = (values) => [...new Set(values)];

const cases = data.sources.flatMap((source) => source.cases.map((each) => ({ ...each, source: source.name })));
const several = data.sources.length > 1;
// The names of sizes, from the fewest captions on.
const SIZES = unique([...cases].sort((a, b) => (a.captions || 0) - (b.captions || 0)).map((each) => each.size)).filter((each) => each);
const models = unique(cases.map((each) => each.model));
const cost = (each) => (known(each.measured) ? each.measured : each.predicted);
const column = (each, name) => each.columns[name] || [];
const nameOf = (each) => (several ? `${each.id} (${each.source})` : each.id);

function section(id, title, ...children) {
  const heading = element("h2", { id: `${id}-title` }, title);
  const made = element("section", { id, "aria-labelledby": `${id}-title` }, heading, ...children);
  document.getElementById("main").append(made);
  document.getElementById("sections").append(element("li", {}, element("a", { href: `#${id}` }, title)));
  return made;
}

function choice(label, options, change, shown = (each) => each) {
  const select = element("select", { onchange: () => change(select.value) });
  options.forEach((each, at) => select.append(element("option", { value: at }, shown(each))));
  return { field: element("label", {}, label, select), select, value: () => options[Number(select.value)] };
}

// A table that sorts by each of its columns and shows only what its filter lets through.
function sortableTable(caption, columns, rows, { sortBy = 0, descending = false } = {}) {
  let order = { at: sortBy, descending };
  let shown = FIRST_ROWS;
  let texts = null;
  const body = element("tbody");
  const status = element("p", { class: "muted", role: "status" });
  const more = element("button", { type: "button", class: "more", onclick: () => { shown += 2000; fill(); } }, "Show more rows");
  const filter = element("input", { type: "search", oninput: () => { shown = FIRST_ROWS; fill(); } });
  const heads = columns.map((each, at) => element("th", { scope: "col", class: each.number ? "n" : null },
    element("button", { type: "button", onclick: () => sort(at) }, each.title)));
  function sort(at) {
    order = { at, descending: order.at === at ? !order.descending : Boolean(columns[at].number) };
    fill();
  }
  function compare(one, other) {
    const [a, b] = [one, other].map((row) => columns[order.at].value(row));
    if (!known(a) || !known(b)) return known(b) - known(a);  // what is not known comes last, both ways
    const result = typeof a === "string" || typeof b === "string" ? String(a).localeCompare(String(b), "en", { numeric: true }) : a - b;
    return order.descending ? -result : result;
  }
  function fill() {
    const wanted = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (wanted.length && !texts) texts = new Map(rows.map((row) => [row, columns.map((each) => String(each.text ? each.text(row) : each.value(row))).join(" ").toLowerCase()]));
    const found = rows.filter((row) => wanted.every((word) => texts.get(row).includes(word))).sort(compare);
    body.replaceChildren(...found.slice(0, shown).map((row) => element("tr", {}, ...columns.map((each, at) => {
      const text = each.text ? each.text(row) : each.value(row);
      const cell = element(at === 0 ? "th" : "td", { scope: at === 0 ? "row" : null, class: each.number ? "n" : each.style ? each.style(row) : null });
      cell.append(each.node ? each.node(row) : known(text) ? String(text) : "n/a");
      return cell;
    }))));
    heads.forEach((head, at) => (at === order.at ? head.setAttribute("aria-sort", order.descending ? "descending" : "ascending") : head.removeAttribute("aria-sort")));
    status.textContent = `${found.length} of ${rows.length} rows${found.length > shown ? `, the first ${shown} shown` : ""}`;
    more.hidden = found.length <= shown;
  }
  const table = element("table", {}, element("caption", { class: "muted" }, caption), element("thead", {}, element("tr", {}, ...heads)), body);
  const scroll = element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": caption }, table);
  fill();
  return {
    node: element("div", {}, element("div", { class: "controls" }, element("label", {}, "Filter rows (words, all must occur)", filter)), scroll, status, more),
    replace(others) { rows = others; texts = null; shown = FIRST_ROWS; fill(); },
  };
}

function overview() {
  const columns = [
    { title: "Case", value: nameOf, node: (each) => element("a", { href: "#case", onclick: () => showCase(each) }, nameOf(each)) },
    { title: "Bits", number: true, value: (each) => each.bits },
    { title: "Predicted KL", number: true, value: (each) => each.predicted, text: (each) => engineering(each.predicted, 3) },
    { title: "Measured KL", number: true, value: (each) => each.measured, text: (each) => engineering(each.measured, 3) },
    { title: "Costliest group", value: (each) => each.costliest },
    { title: "Ten most sensitive settled", value: (each) => (known(each.settled) ? (each.settled ? "yes" : "no") : null) },
    { title: "Captions", number: true, value: (each) => each.captions },
    { title: "Total score", number: true, value: (each) => each.score, text: (each) => (known(each.score) ? each.score.toExponential(2) : "n/a") },
  ];
  if (cases.some((each) => each.verdict)) {
    columns.push({ title: "Verdict", value: (each) => each.verdict, style: (each) => each.verdict });
    columns.push({ title: "Why", value: (each) => each.reason });
  }
  section("overview", "Cases", sortableTable("All cases", columns, cases).node);
}

const casesOf = (model, size, source) => cases.filter((each) => each.model === model && each.size === size && each.source === source);

// A number for each layer and pair; arrows move through the cells, and the details tell of the groups.
function heatMap() {
  const details = element("div", { class: "details", "aria-live": "polite", "aria-label": "Details of the cell", role: "region" });
  const frame = element("div", { class: "scroll", role: "region", "aria-label": "The table of layers and pairs", tabindex: 0 });
  const scale = element("p", { class: "legend muted" });
  const model = choice("Model", models, draw);
  const size = choice("Size", ["", ...SIZES].filter((each) => cases.some((one) => one.size === each)), draw, (each) => each || "not stated");
  size.select.value = size.select.options.length - 1;
  const source = choice("Of", data.sources.map((each) => each.name), draw);
  const controls = element("div", { class: "controls" }, model.field, size.field, several ? source.field : null);

  function draw() {
    const columns = casesOf(model.value(), size.value(), source.value()).sort((a, b) => (a.bits || 0) - (b.bits || 0) || (cost(a) || 0) - (cost(b) || 0));
    const names = data.groups[model.value()];
    const layers = unique(Object.values(names).map((each) => each.depth)).filter(known).sort((a, b) => a - b);
    const byLayer = columns.map((each) => cellsOf(each, names));
    const values = byLayer.flatMap((cells) => [...cells.values()].map((cell) => cell.total)).filter((value) => value > 0);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const shade = (value) => (!known(value) ? "none" : `c${value > low && high > low ? Math.min(Math.floor(7 * Math.log(value / low) / Math.log(high / low)), 6) : 0}`);
    const rows = layers.map((layer, row) => element("tr", {}, element("th", { scope: "row" }, String(layer)), ...byLayer.map((cells, at) => {
      const cell = cells.get(layer);
      const total = cell ? cell.total : null;
      const tell = () => show(columns[at], layer, cell, details);
      const button = element("button", { type: "button", tabindex: row || at ? -1 : 0, onfocus: tell, onmouseenter: tell, "aria-label": `layer ${layer}, ${columns[at].pair}: ${engineering(total)}` },
        engineering(total) + (cell && cell.missing && known(total) ? "*" : ""));
      return element("td", { class: shade(total) }, button);
    })));
    const head = element("tr", {}, element("th", { scope: "col" }, "layer"), ...columns.map((each) => element("th", { scope: "col" }, each.pair.replace("_", " "))));
    const table = element("table", { class: "map", onkeydown: move }, element("caption", { class: "muted" }, "Sum of the predicted KL of each layer's groups; *: some were not measured. Arrow keys move."), element("thead", {}, head), element("tbody", {}, ...rows));
    frame.replaceChildren(table);
    scale.replaceChildren(...(values.length ? [0, 1, 2, 3, 4, 5, 6].map((step) => element("span", {}, element("i", { class: `c${step}` }), `from ${engineering(low * (high / low) ** (step / 7))}`)) : []), element("span", {}, element("i", { class: "none" }), "not measured"));
    details.replaceChildren("Point at a cell, or move to it with Tab and the arrow keys, to see its groups.");
  }

  function move(event) {
    const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    const cell = event.target.closest("td");
    if (!step || !cell) return;
    event.preventDefault();
    const row = cell.parentElement.parentElement.rows[cell.parentElement.sectionRowIndex + step[0]];
    const next = row && row.cells[cell.cellIndex + step[1]];
    const button = next && next.querySelector("button");
    if (!button) return;
    event.target.tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  }
  section("map", "Layers against pairs", controls, scale, element("div", { class: "two" }, frame, details));
  draw();
}

function cellsOf(each, names) {
  const cells = new Map();
  each.groups.forEach((group, at) => {
    const depth = names[group].depth;
    if (!known(depth)) return;
    const cell = cells.get(depth) || { total: null, missing: false, at: [] };
    const kl = column(each, "kl")[at];
    if (known(kl)) cell.total = (cell.total || 0) + kl;
    else cell.missing = true;
    cell.at.push(at);
    cells.set(depth, cell);
  });
  return cells;
}

function show(each, layer, cell, details) {
  const names = data.groups[each.model];
  const rows = (cell ? cell.at : []).map((at) => element("tr", {}, element("th", { scope: "row" }, names[each.groups[at]].kind), element("td", { class: "n" }, engineering(column(each, "kl")[at], 3)),
    element("td", {}, known(column(each, "low")[at]) ? `${engineering(column(each, "low")[at])} to ${engineering(column(each, "high")[at])}` : column(each, "status")[at] || ""),
    element("td", {}, known(column(each, "band")[at]) ? `band ${column(each, "band")[at]}` : "")));
  details.replaceChildren(element("strong", {}, `layer ${layer}, ${each.pair}`), element("table", {}, element("thead", {}, element("tr", {}, ...["Group", "KL", "95 % interval", "Band"].map((title) => element("th", { scope: "col" }, title)))), element("tbody", {}, ...rows)));
}

function logTicks(low, high) {
  const ticks = [];
  for (let exponent = Math.ceil(Math.log10(low)); exponent <= Math.floor(Math.log10(high)); exponent++) ticks.push(10 ** exponent);
  return ticks;
}

// A chart with a logarithmic upright axis.
function chart(label, { width = 760, height = 380, low, high, left = 60, right = 150 }) {
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "chart", role: "group", "aria-label": label });
  const y = (value) => 16 + (1 - (Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low))) * (height - 56);
  for (const tick of logTicks(low, high)) {
    svg.append(drawn("path", { d: `M${left} ${y(tick)}H${width - 8}`, class: "grid" }), drawn("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end", class: "m" }, engineering(tick)));
  }
  return { svg, y, x: (share) => left + 16 + share * (width - left - right - 16), bottom: height - 40, width, left };
}

function range(values) {
  const positive = values.filter((value) => value > 0);
  const [low, high] = [Math.min(...positive), Math.max(...positive)];
  return { low: low / 1.3, high: high > low ? high * 1.3 : high * 3 };
}

function bitsAgainstKl() {
  const frame = element("div");
  const details = element("div", { class: "details", "aria-live": "polite", role: "region", "aria-label": "Details of the point" });
  const model = choice("Model", models, draw);
  function draw() {
    const recipes = Object.entries(data.recipes[model.value()] || {});
    const its = cases.filter((each) => each.model === model.value() && known(each.bits));
    const size = ["", ...SIZES].filter((name) => its.some((each) => each.size === name)).pop();
    const points = its.filter((each) => each.size === size && cost(each) > 0).map((each) => ({ name: several ? `${each.pair} (${each.source})` : each.pair, bits: each.bits, predicted: each.predicted, measured: each.measured, low: (each.predictedInterval || [])[0], high: (each.predictedInterval || [])[1] }));
    points.push(...recipes.map(([name, each]) => ({ name, bits: each.bits, predicted: each.predicted, measured: each.measured, recipe: true })));
    if (!points.length) { frame.replaceChildren(element("p", {}, "No case of this model has a predicted KL.")); return; }
    const bits = points.map((each) => each.bits);
    const [least, most] = [Math.min(...bits), Math.max(...bits)];
    const made = chart(`Bits against KL of ${model.value()}`, range(points.flatMap((each) => [each.predicted, each.measured, each.low, each.high])));
    const x = (value) => made.x((value - least) / Math.max(most - least, 0.5));
    for (let whole = Math.ceil(least); whole <= most; whole++) made.svg.append(drawn("text", { x: x(whole), y: made.bottom + 20, "text-anchor": "middle", class: "m" }, String(whole)));
    made.svg.append(drawn("text", { x: made.width / 2, y: made.bottom + 36, "text-anchor": "middle", class: "m" }, "effective bits"));
    recipes.forEach(([, each]) => {
      const front = each.front.filter(([b, kl]) => b >= least && b <= most && kl > 0).map(([b, kl]) => `${x(b).toFixed(1)} ${made.y(kl).toFixed(1)}`);
      if (front.length) made.svg.append(drawn("path", { d: `M${front.join("L")}`, class: "purple line" }));
    });
    // Labels cover neither each other nor a mark.
    const taken = points.flatMap((each) => [each.predicted, each.measured].filter((kl) => kl > 0).map((kl) => [x(each.bits) - 6, x(each.bits) + 6, made.y(kl) + 4, 11]));
    for (const each of points.sort((a, b) => (b.predicted || b.measured) - (a.predicted || a.measured))) {
      const [px, py] = [x(each.bits), made.y(each.predicted || each.measured)];
      const tell = `${each.recipe ? "recipe " : ""}${each.name}: ${each.bits} bits, predicted ${engineering(each.predicted, 3)}, measured ${engineering(each.measured, 3)} nats per token`;
      const [left, right] = [px + 12, px + 12 + 7.4 * each.name.length];
      const free = (at) => !(at <= 12) && !taken.some(([start, end, ty, distance]) => left < end && right > start && Math.abs(ty - at) < distance);
      let step = 0;
      while (!free(py + 4 + step)) step = step > 0 ? -step : 1 - step;
      const labelY = py + 4 + step;
      taken.push([left, right, labelY, 15]);
      const show = () => details.replaceChildren(tell);
      const mark = drawn("g", { tabindex: 0, role: "img", "aria-label": tell });
      if (known(each.low)) mark.append(drawn("path", { d: `M${px} ${made.y(each.low)}V${made.y(each.high)}`, class: "blue line" }));
      if (known(each.predicted)) mark.append(each.recipe ? drawn("rect", { x: px - 5, y: py - 5, width: 10, height: 10, class: "purple" }) : drawn("circle", { cx: px, cy: py, r: 4, class: "blue" }));
      if (each.measured > 0) mark.append(drawn("path", { d: `M${px} ${made.y(each.measured) - 5}l5 5l-5 5l-5-5z`, class: "orange" }));
      if (Math.abs(step) > 4) mark.append(drawn("path", { d: `M${px + 4} ${py}L${left - 2} ${labelY - 4}`, class: "leader" }));
      mark.append(drawn("text", { x: left, y: labelY, class: "over" }, each.name));
      mark.addEventListener("mouseenter", show);
      mark.addEventListener("focus", show);
      made.svg.append(mark);
    }
    frame.replaceChildren(element("div", { class: "wide" }, made.svg), element("p", { class: "muted" }, `Dots: pairs, as predicted with 95 % intervals; diamonds: measured; squares: recipes; lines: the best that a recipe of the same pairs can do. Size: ${size || "not stated"}.`));
    details.replaceChildren("Point at a mark, or move to it with Tab.");
  }
  section("bits", "Bits against KL", element("div", { class: "controls" }, model.field), element("div", { class: "two" }, frame, details));
  draw();
}

function weightsAgainstActivations() {
  const split = cases.filter((each) => each.columns.weights && each.columns.activations);
  if (!split.length) return;
  const share = (each) => {
    const [weights, activations] = ["weights", "activations"].map((name) => sum(column(each, name).filter(known)));
    return weights + activations > 0 ? weights / (weights + activations) : null;
  };
  const rows = split.map((each) => ({ each, share: share(each) })).filter((row) => known(row.share));
  const table = sortableTable("Where the scores of a case come from", [
    { title: "Case", value: (row) => nameOf(row.each) },
    { title: "From weights", number: true, value: (row) => row.share, text: (row) => percent(row.share) },
    { title: "From activations", number: true, value: (row) => 1 - row.share, text: (row) => percent(1 - row.share) },
    { title: "Weights (full), activations (striped)", value: (row) => row.share, node: (row) => element("div", { class: "bar", role: "img", "aria-label": `${percent(row.share)} from weights` }, element("span", { class: "w", style: `width:${100 * row.share}%` }), element("span", { class: "a", style: `width:${100 - 100 * row.share}%` })) },
  ], rows);
  section("split", "Weights against activations", element("p", {}, "Of the scores of all groups: what the weights alone cost and what the activations alone cost, without what both do together. A case that leaves activations as they are is not here."), table.node);
}

let showCase = () => {};

// One case: its sentences, its figure, how it converged, and all of its groups.
function oneCase() {
  const text = element("div");
  const figure = element("div");
  const convergence = element("div");
  const pick = choice("Case", cases, () => draw(pick.value()), nameOf);
  const cell = (name, digits) => ({ value: (row) => column(row.each, name)[row.at], text: (row) => engineering(column(row.each, name)[row.at], digits), number: true });
  const table = sortableTable("Groups of the case", [
    { title: "Group", value: (row) => data.groups[row.each.model][row.each.groups[row.at]].label },
    { title: "Predicted KL", ...cell("kl", 3) },
    { title: "from", ...cell("low", 3) },
    { title: "to", ...cell("high", 3) },
    { title: "Measured KL", ...cell("measured", 3) },
    { title: "Score", number: true, value: (row) => column(row.each, "score")[row.at], text: (row) => (known(column(row.each, "score")[row.at]) ? column(row.each, "score")[row.at].toExponential(2) : "n/a") },
    { title: "Rank", number: true, value: (row) => column(row.each, "rank")[row.at] },
    { title: "Band", number: true, value: (row) => column(row.each, "band")[row.at] },
    { title: "From weights", number: true, value: (row) => part(row), text: (row) => percent(part(row)) },
    { title: "Status", value: (row) => column(row.each, "status")[row.at] },
    { title: "To doubt", value: (row) => column(row.each, "doubt")[row.at] || "no" },
    { title: "Quantized", value: (row) => ({ true: "yes", false: "no" })[column(row.each, "quantized")[row.at]] },
    { title: "First layer", value: (row) => row.each.groups[row.at] },
  ], [], { sortBy: 1, descending: true });
  function part(row) {
    const [weights, activations] = ["weights", "activations"].map((name) => column(row.each, name)[row.at]);
    return known(weights) && known(activations) && weights + activations > 0 ? weights / (weights + activations) : null;
  }
  function draw(each) {
    text.replaceChildren(...each.sentences.map((sentence) => element("p", {}, sentence)), ...(each.reason ? [element("pre", {}, each.reason)] : []));
    figure.replaceChildren(...(each.figure ? [element("img", { class: "figure", alt: `Figure of ${each.id}: ${each.sentences.join(" ")}`, src: `data:image/svg+xml,${encodeURIComponent(each.figure)}` })] : []));
    convergence.replaceChildren(...(each.convergence && each.convergence.length ? [element("h3", {}, "As captions came in"), converged(each)] : []));
    table.replace(each.groups.map((_, at) => ({ each, at })));
  }
  showCase = (each) => { pick.select.value = cases.indexOf(each); draw(each); };
  section("case", "One case", element("div", { class: "controls" }, pick.field), text, element("div", { class: "two" }, figure, convergence), element("h3", {}, "Groups"), table.node);
  draw(cases[0]);
}

function converged(each) {
  const rows = each.convergence.map(([samples, off, spearman, kept]) => element("tr", {}, element("th", { scope: "row" }, String(samples)), element("td", { class: "n" }, percent(off)), element("td", { class: "n" }, known(spearman) ? spearman.toFixed(3) : "n/a"), element("td", { class: "n" }, String(kept))));
  const heads = ["Captions", "KL off (median)", "Spearman", "Top ten kept"].map((title) => element("th", { scope: "col" }, title));
  return element("table", { class: "narrow" }, element("caption", { class: "muted" }, "What the first captions alone would have said"), element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows));
}

function convergence() {
  const some = cases.filter((each) => each.predicted > 0 && SIZES.includes(each.size));
  if (unique(some.map((each) => each.size)).length < 2) return;
  const keys = unique(some.map((each) => JSON.stringify([each.source, each.model, each.pair])));
  const rows = keys.map((key) => {
    const [source, model, pair] = JSON.parse(key);
    return { name: `${model} ${pair}${several ? ` (${source})` : ""}`, sizes: Object.fromEntries(some.filter((each) => each.source === source && each.model === model && each.pair === pair).map((each) => [each.size, each])) };
  });
  const ofSize = (row, size) => (row.sizes[size] ? row.sizes[size].predicted : null);
  const columns = [{ title: "Model and pair", value: (row) => row.name }];
  for (const size of SIZES) columns.push({ title: `KL, ${size}`, number: true, value: (row) => ofSize(row, size), text: (row) => engineering(ofSize(row, size), 3) });
  for (const size of SIZES) columns.push({ title: `Ten settled, ${size}`, value: (row) => (row.sizes[size] && known(row.sizes[size].settled) ? (row.sizes[size].settled ? "yes" : "no") : null) });
  columns.push({ title: "Largest over smallest size", number: true, value: (row) => over(row), text: (row) => (known(over(row)) ? `x${over(row).toFixed(2)}` : "n/a") });
  function over(row) {
    const values = SIZES.map((size) => ofSize(row, size)).filter(known);
    return values.length > 1 ? values[values.length - 1] / values[0] : null;
  }
  section("sizes", "Convergence by size", sortableTable("Total predicted KL at each size", columns, rows).node);
}

function comparisons() {
  data.comparisons.forEach((comparison, number) => {
    const id = `compared-${number}`;
    const rows = comparison.cases;
    const chosen = element("div");
    const tell = (row) => chosen.replaceChildren(element("h3", {}, row.case), element("p", {}, row.summary), element("pre", {}, row.reasons.join("\n") || "nothing else differs"), movedTable(row));
    const table = rows.length ? sortableTable("Cases, compared", [
      { title: "Case", value: (row) => row.case, node: (row) => element("button", { type: "button", onclick: () => tell(row) }, row.case) },
      { title: "Verdict", value: (row) => row.verdict, style: (row) => row.verdict },
      { title: "Total score before", number: true, value: (row) => row.totals[0], text: (row) => (known(row.totals[0]) ? row.totals[0].toExponential(3) : "n/a") },
      { title: "after", number: true, value: (row) => row.totals[1], text: (row) => (known(row.totals[1]) ? row.totals[1].toExponential(3) : "n/a") },
      { title: "Why", value: (row) => row.summary },
    ], rows, { sortBy: 1 }).node : element("p", {}, comparison.problem || "No case in common.");
    const lone = [["old", comparison.onlyOld], ["new", comparison.onlyNew]].filter(([, names]) => names && names.length).map(([side, names]) => element("p", {}, `Only in ${comparison[side]}: ${names.join(", ")}`));
    section(id, `${comparison.old} against ${comparison.new}`, element("p", {}, comparison.verdict ? `Verdict: ${comparison.verdict}` : ""), table, ...lone, chosen);
    const worst = rows.find((row) => row.verdict === comparison.verdict);
    if (worst) tell(worst);
  });
}

function movedTable(row) {
  if (!row.moved.length) return element("p", {}, "No group moved.");
  const heads = ["Group", "Number", "Before", "After", "Ratio", "Within tolerance"].map((title) => element("th", { scope: "col" }, title));
  const rows = row.moved.map(([group, measure, before, after, ratio, within]) => element("tr", {}, element("th", { scope: "row" }, group), element("td", {}, measure), element("td", { class: "n" }, before.toExponential(3)), element("td", { class: "n" }, after.toExponential(3)), element("td", { class: "n" }, known(ratio) ? `x${ratio.toFixed(4)}` : "n/a"), element("td", { class: within ? null : "drift" }, within ? "yes" : "no")));
  return element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Groups that moved" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows)));
}

function history() {
  if (!data.history || !Object.keys(data.history.cases).length) return;
  const { revisions } = data.history;
  const frame = element("div");
  const names = Object.keys(data.history.cases);
  const pick = choice("Case", names, () => { refill(); draw(); });
  const group = element("select", { onchange: draw });
  function refill() {
    group.replaceChildren(element("option", { value: "" }, "all groups"), ...Object.keys(data.history.cases[pick.value()].groups).map((each) => element("option", {}, each)));
  }
  function draw() {
    const its = data.history.cases[pick.value()];
    const series = group.value ? its.groups[group.value] : { score: its.score, kl: its.predicted };
    const drawnOnes = [["score", "blue", "score"], ["kl", "orange", "predicted KL"]].filter(([key]) => series[key].some((value) => value > 0));
    if (!drawnOnes.length) { frame.replaceChildren(element("p", {}, "No number in these revisions.")); return; }
    const made = chart("Over revisions", { ...range(drawnOnes.flatMap(([key]) => series[key])), right: 110 });
    const x = (at) => made.x(revisions.length > 1 ? at / (revisions.length - 1) : 0.5);
    for (const [key, style, title] of drawnOnes) {
      const points = series[key].map((value, at) => [value, at]).filter(([value]) => value > 0);
      made.svg.append(drawn("path", { d: `M${points.map(([value, at]) => `${x(at).toFixed(1)} ${made.y(value).toFixed(1)}`).join("L")}`, class: `${style} line` }));
      points.forEach(([value, at]) => made.svg.append(drawn("circle", { cx: x(at), cy: made.y(value), r: 3.5, class: style }, drawn("title", {}, `${revisions[at][0]}: ${engineering(value, 3)}`))));
      const [value, at] = points[points.length - 1];
      made.svg.append(drawn("text", { x: x(at) + 8, y: made.y(value) + 4 }, title));
    }
    const rows = revisions.map(([name, date, subject], at) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, date), element("td", { class: "n" }, known(series.score[at]) ? series.score[at].toExponential(3) : "n/a"), element("td", { class: "n" }, engineering(series.kl[at], 3)), element("td", {}, subject)));
    const heads = ["Revision", "Date", "Score", "Predicted KL", "Subject"].map((title) => element("th", { scope: "col" }, title));
    frame.replaceChildren(element("div", { class: "wide" }, made.svg), element("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Revisions" }, element("table", {}, element("thead", {}, element("tr", {}, ...heads)), element("tbody", {}, ...rows))));
  }
  section("history", "History", element("div", { class: "controls" }, pick.field, element("label", {}, "Group", group)), frame);
  refill();
  draw();
}

document.getElementById("what").textContent = `${cases.length} cases of ${models.length} models, from ${data.sources.map((each) => each.name).join(", ")}`;
overview();
comparisons();
if (cases.length) {
  heatMap();
  bitsAgainstKl();
  convergence();
  weightsAgainstActivations();
  oneCase();
}
history();
document.documentElement.dataset.ready = "yes";
