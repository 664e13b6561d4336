// The map of heads: any measure of all heads as colours, as dots by layer and as a curve, any two against each other; heads chosen in one
// chart stand out in all. Values and texts come from heads/<slug>/heads.js, looks from head-map-views.js,
// controls from head-map-input.js, pointer and keyboard from head-map-hands.js.
(function () {
  "use strict";
  const headcount = window.headcount;
  // With more heads than these, intervals would hide the dots.
  const FEW = 50;

  function unitOf(measure) {
    return measure.unit === "1" || measure.unit === "share" ? "" : " " + measure.unit;
  }

  // What the page knows, and what it draws from it.
  function stateOf(element, data, settings) {
    const byId = new Map(data.measures.map(function (measure) { return [measure.id, measure]; }));
    const state = {
      element: element, data: data, settings: settings, measure: settings.measure, across: settings.measure, up: settings.against,
      sorted: false, chosen: new Set(), box: null, cursor: -1, views: {}, turn: {}, narrow: false, live: true,
    };
    state.title = function (id) {
      const measure = byId.get(id);
      return measure.title + (measure.unit === "1" ? "" : ", " + measure.unit);
    };
    state.said = function (id, index, apart) {
      const text = data.texts[id][index];
      if (text === null) return "no value";
      const unit = unitOf(byId.get(id));
      const interval = data.intervals[id][index];
      if (interval === null) return text + unit;
      return apart ? text + unit + ", " + interval.replace("–", " to ") : text + unit + " (" + interval + ")";
    };
    state.described = function (name) {
      const title = state.title(state.measure);
      return {
        map: "Map of all heads by layer: " + title,
        scatter: "Scatter of all heads: " + state.title(state.across) + " across, " + state.title(state.up) + " up",
        profile: "All heads by layer, with the mean of each layer: " + title,
        ecdf: "Share of the heads at or below each value: " + title,
      }[name];
    };
    state.view = function (name) { return state.views[name] && state.views[name].view; };
    return state;
  }

  // Where each head stands in its layer: by its number, or by its value with the largest first and those without a value last.
  function places(state) {
    const values = state.data.values[state.measure];
    const order = state.data.heads.map(function (head, index) { return index; });
    if (state.sorted) {
      order.sort(function (a, b) { return (values[b] === null ? -Infinity : values[b]) - (values[a] === null ? -Infinity : values[a]) || a - b; });
    }
    const next = {};
    const found = [];
    order.forEach(function (index) {
      const head = state.data.heads[index];
      next[head[1]] = (next[head[1]] || 0) + 1;
      found[index] = state.sorted ? next[head[1]] - 1 : head[2];
    });
    return found;
  }

  // One row per head for map, profile and curve.
  function headRows(state) {
    const data = state.data;
    const values = data.values[state.measure];
    const scale = state.settings.scales[state.measure];
    state.places = places(state);
    const there = values.filter(function (value) { return value !== null; }).sort(function (a, b) { return a - b; });
    const atOrBelow = new Map();
    there.forEach(function (value, index) { atOrBelow.set(value, 100 * (index + 1) / there.length); });
    return data.heads.map(function (head, index) {
      const value = values[index];
      return {
        name: head[0], layer: head[1], place: state.places[index], label: head[3] || "none given", value: value, share: value === null ? null : atOrBelow.get(value),
        fill: value === null ? "transparent" : window.headcountHeadMapViews.colour(scale, value), said: state.said(state.measure, index),
      };
    });
  }

  // The ends of an interval, read from its text: what is drawn is what is said.
  function ends(interval) {
    return interval === null ? [null, null] : interval.replaceAll("−", "-").split(/ to |–/).map(Number);
  }

  function scatterRows(state) {
    const data = state.data;
    return data.heads.map(function (head, index) {
      const x = ends(data.intervals[state.across][index]);
      const y = ends(data.intervals[state.up][index]);
      return {
        name: head[0], label: head[3] || "none given", x: data.values[state.across][index], y: data.values[state.up][index], low_x: x[0], high_x: x[1],
        low_y: y[0], high_y: y[1], across: state.said(state.across, index), up: state.said(state.up, index),
      };
    }).filter(function (row) { return row.x !== null && row.y !== null; });
  }

  // Draws one chart anew: when its scales or the reader's scheme change.
  async function draw(state, name) {
    const figure = state.element.querySelector("[data-own=" + name + "]");
    const turn = state.turn[name] = (state.turn[name] || 0) + 1;
    const live = figure.querySelector(".chart-live");
    figure.hidden = false;
    live.hidden = false;
    const spec = window.headcountHeadMapViews.dressed(name, state, live.clientWidth);
    spec.datasets = { heads: rowsOf(state, name), box: [] };
    const place = live.querySelector(".head-map-canvas") || live.appendChild(window.headcountHeadMapViews.made("div", "head-map-canvas"));
    const made = await headcount.embed(place, spec);
    if (turn !== state.turn[name] || !state.live) { made.finalize(); return; }
    if (state.views[name]) state.views[name].finalize();
    state.views[name] = made;
    // Measure and order may have changed while it was drawn.
    if (name === "map") fill(state);
    else mark(state, name);
    // The map is walked through by keys, and says each head; the others are pictures with a name, whose numbers are in the table of heads.
    place.querySelector("svg").setAttribute("aria-hidden", "true");
    if (name !== "map") {
      live.setAttribute("role", "img");
      live.setAttribute("aria-label", state.described(name));
    }
    const picture = figure.querySelector(".chart-static");
    if (picture) picture.hidden = true;
    if (name !== "profile" && name !== "ecdf") window.headcountHeadMapInput[name](state, live);
    figure.dataset.drawn = headcount.scheme();
  }

  function rowsOf(state, name) {
    if (name === "scatter") return scatterRows(state);
    return name === "map" ? headRows(state) : headRows(state).filter(function (row) { return row.value !== null; });
  }

  // Puts the rows of another measure or order into the map as it stands.
  function fill(state) {
    const view = state.view("map");
    if (!view) return;
    view.data("heads", rowsOf(state, "map")).signal("sorted", state.sorted);
    mark(state, "map");
  }

  // Lets the chosen heads, the frame of the keyboard's head and the box of the scatter show.
  function mark(state, name) {
    const view = state.view(name);
    if (!view) return;
    const chosen = {};
    state.chosen.forEach(function (head) { chosen[head] = true; });
    view.signal("chosen", chosen).signal("any", state.chosen.size > 0).signal("few", state.chosen.size < FEW);
    view.signal("stand", state.focused && state.cursor >= 0 ? state.data.heads[state.cursor][0] : "");
    if (name === "scatter") view.data("box", state.box ? [state.bounds(view)] : []);
    view.runAsync();
  }

  function markAll(state) {
    Object.keys(state.views).forEach(function (name) { mark(state, name); });
  }

  // The one way to choose heads, whatever the reader chose them with; `box` stays only where the scatter's own choice is made.
  function choose(state, names, box) {
    state.chosen = new Set(names);
    state.box = box || null;
    if (!state.pending) {
      state.pending = requestAnimationFrame(function () {
        state.pending = 0;
        markAll(state);
        window.headcountHeadMapInput.told(state);
      });
    }
  }

  function legend(state) {
    const missing = state.data.values[state.measure].includes(null);
    window.headcountHeadMapViews.legend(state.legend, state.settings.scales[state.measure], state.title(state.measure), missing);
  }

  // Another measure: the map takes new rows, the charts with axes new scales.
  function measured(state) {
    legend(state);
    fill(state);
    ["map", "profile", "ecdf"].forEach(function (name) {
      const view = name === "map" && state.view(name);
      if (view) view.description(state.described(name));
      else draw(state, name);
    });
    window.headcountHeadMapInput.read(state);
  }

  function drawAll(state) {
    state.narrow = state.element.clientWidth < window.headcountHeadMapViews.NARROW;
    legend(state);
    return Promise.all(["map", "scatter", "profile", "ecdf"].map(function (name) { return draw(state, name); }));
  }

  // Follows scheme and width for as long as the page is there.
  function follow(state) {
    const scheme = new MutationObserver(function () { drawAll(state); });
    scheme.observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
    const width = new ResizeObserver(function () {
      if (!state.element.isConnected) {
        state.live = false;
        Object.values(state.views).forEach(function (made) { made.finalize(); });
        width.disconnect();
        scheme.disconnect();
      } else if (state.narrow !== (state.element.clientWidth < window.headcountHeadMapViews.NARROW)) drawAll(state);
    });
    width.observe(state.element);
  }

  headcount.modules["head-map"] = async function (element) {
    const slug = element.dataset.slug;
    const settings = JSON.parse(element.querySelector("template.head-map-settings").content.textContent);
    for (const file of ["../heads/" + slug + "/heads.js", "head-map-specs.js", "head-map-views.js", "head-map-input.js", "head-map-hands.js"]) {
      await headcount.load(file);
    }
    if (!element.isConnected) return;
    const state = stateOf(element, window.headcountData[slug], settings);
    Object.assign(state, { choose: choose, draw: draw, fill: fill, mark: mark, measured: measured });
    window.headcountHeadMapInput.controls(state);
    await drawAll(state);
    follow(state);
    element.dataset.ready = "yes";
  };
})();
