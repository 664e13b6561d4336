// A figure that can be moved: a slider over the stored thresholds, bars as heads or as shares, and the heads behind each segment.
// The page says what there is; counts, texts and heads come as a script of data when the figure is first touched.
window.headcount.modules["figure-controls"] = function (element) {
  "use strict";
  const LISTED = 12;
  const HINT = "Arrow keys walk through the chart, Escape leaves it.";
  const figure = element.closest("figure.chart");
  const about = JSON.parse(element.dataset.about);
  const spec = JSON.parse(figure.querySelector("template.chart-spec").content.textContent);
  const published = spec.data.values;
  const movable = about.thresholds.length > 1;
  const bands = new Map(about.bands.map(function (band) { return [band[1], band[0]]; }));
  const stage = figure.querySelector(".chart-stage");
  const state = { step: about.own, drawn: about.own, shares: false, data: null, view: null, segment: null, touch: false, pending: 0 };

  // The chart's own name, which tells the finding at the figure's own threshold.
  let named = "";

  function make(kind, name, text, parent) {
    const made = document.createElement(kind);
    if (name) made.className = name;
    if (text) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  }

  function button(name, text, parent, act) {
    const made = make("button", name, text, parent);
    made.type = "button";
    made.addEventListener("click", act);
    return made;
  }

  function ratio(step) { return "a ratio of " + about.thresholds[step]; }
  function moved() { return state.step !== about.own; }
  function counted(text) { return text + (text === "1" ? " head" : " heads"); }

  function changed(text) { return counted(text) + (text === "1" ? " lies" : " lie"); }

  async function fetched() {
    await window.headcount.load("../charts/" + about.slug + ".thresholds.js");
    state.data = window.headcount.data[about.slug];
  }

  // The rows of the chart at the threshold and in the unit chosen: published texts where nothing has moved.
  function rows() {
    const cells = moved() && state.data ? state.data.steps[state.step] : null;
    const heights = new Map();
    const counts = published.map(function (row, place) { return cells ? cells[place][0] : row.high - row.low; });
    published.forEach(function (row, place) { heights.set(row.range, (heights.get(row.range) || 0) + counts[place]); });
    const reached = new Map();
    return published.map(function (row, place) {
      const size = state.shares ? 100 * counts[place] / (heights.get(row.range) || 1) : counts[place];
      const low = reached.get(row.range) || 0;
      reached.set(row.range, low + size);
      const texts = cells ? { heads: cells[place][1], percent: cells[place][2] } : {};
      return Object.assign({}, row, texts, { low: low, high: low + size });
    });
  }

  // The specification as it is about to be drawn.
  function dress(event) {
    const dressed = event.detail;
    state.drawn = state.step;
    dressed.data.values = rows();
    if (!state.shares) return;
    const y = dressed.layer[0].encoding.y;
    const before = y.scale.domain[1];
    y.title = "% of the range's heads";
    y.scale.domain = [0, 103];
    y.axis.values = [0, 20, 40, 60, 80, 100];
    dressed.layer.forEach(function (layer) {
      (layer.transform || []).forEach(function (step) { if (step.filter) step.filter = step.filter.replace(String(before), "103"); });
    });
  }

  async function change() {
    if (!state.data) await fetched();
    say();
    if (!state.view) return;
    // One run at a time: while one is under way, the latest threshold waits.
    state.pending += 1;
    if (state.pending > 1) return;
    while (state.pending) {
      state.pending = 1;
      await state.view.data("segments", rows()).runAsync();
      state.pending -= 1;
    }
    figure.dispatchEvent(new CustomEvent("headcount:changed"));
  }

  const bar = make("div", "figure-bar");
  const units = make("div", "figure-units", "", bar);
  units.setAttribute("role", "group");
  units.setAttribute("aria-label", "Height of the bars");
  const choices = ["Heads", "Shares"].map(function (name, choice) {
    return button("", name, units, function () {
      state.shares = choice === 1;
      say();
      window.headcount.draw(figure);
    });
  });
  const told = make("p", "figure-told", "", bar);
  stage.before(bar);
  const ramp = figure.querySelector(".chart-ramp");
  if (ramp) bar.append(ramp);

  const slider = make("input");
  const back = button("figure-back", "", null, function () { go(about.own); slider.focus(); });
  const output = make("output", "figure-output");
  if (movable) buildSlider();

  const panel = make("div", "figure-panel", "", element);
  panel.setAttribute("role", "region");
  panel.setAttribute("aria-label", "Heads of a segment");
  const details = make("details", "figure-table", "", element);
  make("summary", "", "Every segment as a table", details);
  const holder = make("div", "figure-scroll", "", details);
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", "Table of the segments");

  function mark(step, kind, text, list) {
    const along = step / (about.thresholds.length - 1);
    const tick = make("span", "figure-tick is-" + kind, "", slider.parentElement);
    tick.style.left = "calc(0.5rem + (100% - 1rem) * " + along + ")";
    const entry = make("li", "", "", list);
    const link = button("figure-mark is-" + kind, text, entry, function () { go(step); slider.focus(); });
    link.title = "Go to " + text;
  }

  function buildSlider() {
    const box = make("div", "figure-threshold", "", element);
    const top = make("div", "figure-line", "", box);
    const label = make("label", "figure-label", "Threshold", top);
    slider.type = "range";
    slider.id = label.htmlFor = "threshold-" + about.slug.replace(/\W/g, "-");
    slider.min = 0;
    slider.max = about.thresholds.length - 1;
    slider.value = state.step;
    back.textContent = "Back to " + about.thresholds[about.own];
    top.append(back);
    const line = make("div", "figure-line", "", box);
    make("span", "figure-end", about.thresholds[0], line);
    make("div", "figure-track", "", line).append(slider);
    make("span", "figure-end", about.thresholds[about.thresholds.length - 1], line);
    const list = make("ul", "figure-marks", "", element);
    list.setAttribute("aria-label", "Marks on the slider");
    mark(about.own, "own", about.thresholds[about.own] + ": the figure's own", list);
    if (about.largest !== null && about.largest !== about.own) {
      mark(about.largest, "largest", about.thresholds[about.largest] + ": the largest within the price budget", list);
    } else if (about.largest !== null) {
      list.firstChild.firstChild.textContent += ", and the largest within the price budget";
    }
    output.htmlFor = slider.id;
    element.append(output);
    slider.addEventListener("input", function () { go(Number(slider.value)); });
  }

  function go(step) {
    state.step = step;
    slider.value = step;
    change();
  }

  // All words that hang on the threshold and the unit.
  function say() {
    if (moved() && !state.data) return;
    choices.forEach(function (choice, place) { choice.setAttribute("aria-pressed", String(state.shares === (place === 1))); });
    figure.classList.toggle("is-moved", moved());
    named = named || stage.getAttribute("aria-label") || "";
    stage.setAttribute("aria-label", moved() ? spec.title + " at " + ratio(state.step) + ", moved from the figure's own. " + HINT : named);
    told.textContent = movable ? (moved() ? "Moved to " : "At ") + ratio(state.step) : "";
    if (movable) {
      const mark = moved() ? (state.step === about.largest ? ", the largest within the price budget" : "") : ", the figure's own";
      slider.setAttribute("aria-valuetext", ratio(state.step) + mark);
      back.disabled = !moved();
      output.textContent = !moved()
        ? "The text and the downloads speak of " + ratio(about.own) + ", as the chart does."
        : "The chart shows " + ratio(state.step) + ", where " + changed(state.data.changed[state.step]) +
          " in another band. The text and the downloads speak of " + ratio(about.own) + ".";
    }
    show();
    if (details.open) tabulate();
  }

  // Heads of a segment at the threshold shown.
  function headsOf(range, band) {
    const place = about.ranges.indexOf(range);
    const at = about.thresholds.length ? state.step : 0;
    return state.data.heads.filter(function (head) { return head[1] === place && head[2][at] === bands.get(band); })
      .map(function (head) { return head[0]; });
  }

  function tableOf(names) { return window.headcount.root + about.table + "#heads=" + names.join("."); }

  function show() {
    panel.replaceChildren();
    if (!state.segment) {
      make("p", "figure-hint", "Point at a segment, or walk through the chart with the arrow keys, to see which heads are in it.", panel);
      return;
    }
    const row = rows().find(function (row) { return row.range === state.segment.range && row.band === state.segment.band; });
    const line = make("p", "figure-segment", "", panel);
    make("strong", "", "Layers " + row.range + ", band " + row.band, line);
    line.append(": " + counted(row.heads) + ", " + row.percent + " of the range" + (moved() ? ", at " + ratio(state.step) : ""));
    const names = state.data ? headsOf(row.range, row.band) : [];
    if (!names.length) return;
    const list = make("ul", "figure-heads", "", panel);
    names.slice(0, LISTED).forEach(function (name) {
      const link = make(about.table ? "a" : "span", "", name, make("li", "", "", list));
      if (about.table) link.href = window.headcount.root + about.table + name + "/";
    });
    const rest = names.length - LISTED;
    if (rest > 0) make("li", "", "and " + rest.toLocaleString("en-GB") + " more", list);
    if (about.table) make("a", "figure-all", "All in the table", make("li", "", "", list)).href = tableOf(names);
  }

  async function select(row) {
    state.segment = row ? { range: row.range, band: row.band } : null;
    if (row && !state.data) await fetched();
    show();
  }

  function pointed(row) {
    figure.dispatchEvent(new CustomEvent("headcount:pointed", { detail: { range: row.range, band: row.band } }));
    return select(row);
  }

  async function choose(row) {
    await select(row);
    const names = headsOf(row.range, row.band);
    if (about.table && names.length) panel.querySelector(".figure-all").click();
  }

  function tabulate() {
    const table = make("table", "figure-cells");
    make("caption", "", "Heads, and their share of the range" + (movable ? ", at " + ratio(state.step) : ""), table);
    const head = make("tr", "", "", make("thead", "", "", table));
    make("th", "", "Layers", head).scope = "col";
    about.bands.forEach(function (band) { make("th", "", band[1], head).scope = "col"; });
    const body = make("tbody", "", "", table);
    const all = rows();
    about.ranges.forEach(function (range) {
      const line = make("tr", "", "", body);
      make("th", "", range, line).scope = "row";
      about.bands.forEach(function (band) {
        const row = all.find(function (row) { return row.range === range && row.band === band[1]; });
        const cell = make("td", "", "", line);
        make("span", "", row.heads, cell);
        make("span", "figure-share", " " + row.percent, cell);
      });
    });
    holder.replaceChildren(table);
  }

  // A pointer that only passes on its way to the list below changes nothing.
  let waiting = 0;
  function point(event, item) {
    const row = item && item.datum && item.datum.range !== undefined && bands.has(item.datum.band) ? item.datum : null;
    clearTimeout(waiting);
    if (row) waiting = setTimeout(function () { pointed(row); }, state.segment ? 140 : 0);
  }

  function press(event, item) {
    const row = item && item.datum && item.datum.range !== undefined && bands.has(item.datum.band) ? item.datum : null;
    if (!row) return;
    clearTimeout(waiting);
    if (state.touch) pointed(row);
    else choose(row);
  }

  figure.addEventListener("headcount:dress", dress);
  function begin(view) {
    state.view = view;
    view.addEventListener("mouseover", point);
    view.addEventListener("click", press);
    // Moved on while the chart was being drawn.
    if (state.drawn !== state.step) change();
  }

  figure.addEventListener("headcount:drawn", function (event) { begin(event.detail); });
  figure.addEventListener("headcount:segment", function (event) { select(event.detail); });
  figure.addEventListener("headcount:choose", function (event) { choose(event.detail); });
  figure.addEventListener("pointerdown", function (event) { state.touch = event.pointerType === "touch"; }, true);
  details.addEventListener("toggle", function () { if (details.open) tabulate(); });
  ["pointerenter", "focusin"].forEach(function (kind) { figure.addEventListener(kind, fetched, { once: true }); });

  say();
  element.hidden = false;
  // A chart that stands already; any later one is told of.
  const live = figure.querySelector(".chart-live");
  if (live.drawn) begin(live.drawn.view);
};
