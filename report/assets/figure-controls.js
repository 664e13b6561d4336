// A figure that can be moved: a slider over the stored thresholds, and bars as heads or as shares.
// The page says what there is; counts, texts and heads come as a script of data when the figure is first touched.
window.headcount.modules["figure-controls"] = async function (element) {
  "use strict";
  await window.headcount.load("figure-heads.js");
  const HINT = "Arrow keys walk through the chart, Escape leaves it.";
  const figure = element.closest("figure.chart");
  const about = JSON.parse(element.dataset.about);
  const spec = JSON.parse(figure.querySelector("template.chart-spec").content.textContent);
  const published = spec.data.values;
  const movable = about.thresholds.length > 1;
  const stage = figure.querySelector(".chart-stage");
  const state = { step: about.own, drawn: about.own, shares: false, data: null, view: null, pending: 0 };

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
  const heads = window.headcount.figureHeads({
    about: about, counted: counted, element: element, fetched: fetched, figure: figure, make: make, moved: moved, ratio: ratio, rows: rows, state: state
  });

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
    heads.show();
  }

  figure.addEventListener("headcount:dress", dress);
  function begin(view) {
    state.view = view;
    heads.listen(view);
    // Moved on while the chart was being drawn.
    if (state.drawn !== state.step) change();
  }

  figure.addEventListener("headcount:drawn", function (event) { begin(event.detail); });
  ["pointerenter", "focusin"].forEach(function (kind) { figure.addEventListener(kind, fetched, { once: true }); });

  say();
  element.hidden = false;
  // A chart that stands already; any later one is told of.
  const live = figure.querySelector(".chart-live");
  if (live.drawn) begin(live.drawn.view);
};
