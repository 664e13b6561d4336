// The heads behind a figure's segments: a panel that names the segment that is pointed at or walked to and lists its heads, the way to the
// table of these heads, and all counts as a table. Called by figure-controls.js with the figure as it stands (`shown`).
window.headcount.figureHeads = function (shown) {
  "use strict";
  const LISTED = 12;
  const about = shown.about;
  const element = shown.element;
  const figure = shown.figure;
  const make = shown.make;
  const state = shown.state;
  const bands = new Map(about.bands.map(function (band) { return [band[1], band[0]]; }));
  let segment = null;
  let touch = false;
  let waiting = 0;

  const panel = make("div", "figure-panel", "", element);
  panel.classList.toggle("is-short", !about.table);
  panel.setAttribute("role", "region");
  panel.setAttribute("aria-label", "Heads of a segment");
  const details = make("details", "figure-table", "", element);
  make("summary", "", "Every segment as a table", details);
  const holder = make("div", "figure-scroll", "", details);
  holder.tabIndex = 0;
  holder.setAttribute("role", "group");
  holder.setAttribute("aria-label", "Table of the segments");

  // Heads of a segment at the threshold shown.
  function headsOf(range, band) {
    const place = about.ranges.indexOf(range);
    const at = about.thresholds.length ? state.step : 0;
    return state.data.heads.filter(function (head) { return head[1] === place && head[2][at] === bands.get(band); })
      .map(function (head) { return head[0]; });
  }

  function tableOf(names) { return window.headcount.root + about.table + "#heads=" + names.join("."); }

  function show() {
    if (details.open) tabulate();
    panel.replaceChildren();
    if (!segment) {
      const wanted = about.table ? "to see which heads are in it." : "to read its numbers.";
      make("p", "figure-hint", "Point at a segment, or walk through the chart with the arrow keys, " + wanted, panel);
      return;
    }
    const row = shown.rows().find(function (row) { return row.range === segment.range && row.band === segment.band; });
    const line = make("p", "figure-segment", "", panel);
    make("strong", "", "Layers " + row.range + ", band " + row.band, line);
    line.append(": " + shown.counted(row.heads) + ", " + row.percent + " of the range" + (shown.moved() ? ", at " + shown.ratio(state.step) : ""));
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
    segment = row ? { range: row.range, band: row.band } : null;
    if (row && !state.data) await shown.fetched();
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
    make("caption", "", "Heads, and their share of the range" + (about.thresholds.length ? ", at " + shown.ratio(state.step) : ""), table);
    const head = make("tr", "", "", make("thead", "", "", table));
    make("th", "", "Layers", head).scope = "col";
    about.bands.forEach(function (band) { make("th", "", band[1], head).scope = "col"; });
    const body = make("tbody", "", "", table);
    const all = shown.rows();
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

  // The segment of a mark of the chart; none for a legend or an axis.
  function segmentAt(item) {
    const datum = item && item.datum;
    return datum && datum.range !== undefined && bands.has(datum.band) ? datum : null;
  }

  // A pointer that only passes on its way to the list below changes nothing.
  function point(event, item) {
    const row = segmentAt(item);
    clearTimeout(waiting);
    if (row) waiting = setTimeout(function () { pointed(row); }, segment ? 140 : 0);
  }

  function press(event, item) {
    const row = segmentAt(item);
    if (!row) return;
    clearTimeout(waiting);
    if (touch) pointed(row);
    else choose(row);
  }

  function listen(view) {
    view.addEventListener("mouseover", point);
    view.addEventListener("click", press);
  }

  figure.addEventListener("headcount:segment", function (event) { select(event.detail); });
  figure.addEventListener("headcount:choose", function (event) { choose(event.detail); });
  figure.addEventListener("pointerdown", function (event) { touch = event.pointerType === "touch"; }, true);
  details.addEventListener("toggle", show);
  return { listen: listen, show: show };
};
