// The looks of the map of heads: colours and legend of a measure's scale, and the specifications of its four charts in the reader's scheme.
(function () {
  "use strict";
  const NARROW = 560;

  // Where a value lies on its scale, from 0 to 1: the same steps as an axis of that kind.
  function position(scale, value) {
    const bend = { sqrt: Math.sqrt, log: Math.log }[scale.kind] || Number;
    const part = (bend(value) - bend(scale.low)) / (bend(scale.high) - bend(scale.low));
    return Math.min(1, Math.max(0, part));
  }

  function ramp(scale) {
    const range = window.headcountConfigs[window.headcount.scheme()].range;
    return scale.kind === "diverging" ? range.diverging : range.heatmap;
  }

  function channels(colour) {
    return [1, 3, 5].map(function (at) { return parseInt(colour.slice(at, at + 2), 16); });
  }

  // The colour of a value: between its two neighbours on the ramp.
  function colour(scale, value) {
    const stops = ramp(scale);
    const at = position(scale, value) * (stops.length - 1);
    const below = Math.min(Math.floor(at), stops.length - 2);
    const upper = channels(stops[below + 1]);
    return "#" + channels(stops[below]).map(function (part, place) {
      return Math.round(part + (upper[place] - part) * (at - below)).toString(16).padStart(2, "0");
    }).join("");
  }

  // Marks for a legend: steps of one, two or five; a logarithmic scale has them in every decade.
  function ticks(scale) {
    const found = [];
    if (scale.kind === "log") {
      for (let power = -9; power < 9; power += 1) {
        [1, 2, 5].forEach(function (times) { found.push(times * Math.pow(10, power)); });
      }
    } else {
      const rough = (scale.high - scale.low) / 5;
      const power = Math.pow(10, Math.floor(Math.log10(rough)));
      const step = [1, 2, 5, 10].find(function (times) { return times * power >= rough * 0.999; }) * power;
      for (let mark = Math.ceil(scale.low / step); mark * step <= scale.high * 1.0001; mark += 1) found.push(mark * step);
    }
    return found.filter(function (mark) { return mark >= scale.low - Math.abs(scale.low) * 1e-4 && mark <= scale.high * 1.0001; });
  }

  function written(mark) {
    return String(Number(mark.toPrecision(6))).replace("-", "−");
  }

  function made(tag, name, text) {
    const element = document.createElement(tag);
    if (name) element.className = name;
    if (text) element.textContent = text;
    return element;
  }

  // The legend: a bar of the ramp with its marks, and the sign of a missing value where there is one.
  function legend(element, scale, title, missing) {
    const bar = made("span", "head-map-bar");
    bar.style.backgroundImage = "linear-gradient(to right, " + ramp(scale).join(", ") + ")";
    const marks = made("span", "head-map-marks");
    let last = -1;
    ticks(scale).forEach(function (mark) {
      const part = position(scale, mark);
      if (part - last < 0.12) return;
      last = part;
      const label = made("span", "", written(mark));
      label.style.left = 100 * part + "%";
      marks.append(label);
    });
    const bend = { sqrt: ", colours by square root", log: ", colours by logarithm" }[scale.kind] || "";
    const whole = made("span", "head-map-scale");
    whole.append(bar, marks);
    element.replaceChildren(made("span", "head-map-measure", title + bend), whole);
    if (missing) element.append(made("span", "head-map-missing", "no value"));
  }

  function axisTitle(text, width) {
    return window.headcount.wrapped(text, Math.max(24, (width - 90) / 7));
  }

  function kind(scale) {
    return { type: scale.kind === "diverging" ? "linear" : scale.kind, domain: [scale.low, scale.high], nice: scale.kind !== "log" };
  }

  // Sets scale and title of one side of every layer.
  function side(spec, name, scale, title, width) {
    (spec.layer || []).forEach(function (layer) {
      side(layer, name, scale, title, width);
      const channel = layer.encoding && layer.encoding[name];
      if (!channel) return;
      channel.scale = kind(scale);
      channel.title = axisTitle(title, width);
      channel.axis = Object.assign({}, channel.axis, { tickCount: width < NARROW ? 5 : 8, labelOverlap: "greedy" });
      if (scale.kind === "log") channel.axis.values = ticks(scale);
    });
  }

  // On a narrow screen the layers run down, so that a cell stays wide enough for a finger.
  function turned(spec) {
    spec.layer.forEach(function (layer) {
      const across = layer.encoding.x;
      layer.encoding.x = layer.encoding.y;
      layer.encoding.y = across;
    });
  }

  function mapSpec(spec, data, width, narrow) {
    const across = narrow ? data.heads_per_layer : data.layers;
    const down = narrow ? data.layers : data.heads_per_layer;
    const cell = Math.max(13, Math.min(26, (width - 60) / across));
    if (narrow) turned(spec);
    spec.height = Math.max(90, cell * (narrow ? Math.min(1, 18 / cell) : 1) * down);
    spec.layer[1].mark.size = cell * cell * 0.5;
    return spec;
  }

  // The specification of a chart, in the reader's colours, as wide as its place.
  function dressed(name, state, width) {
    const spec = structuredClone(window.headcountHeadMap[name]);
    const scales = state.settings.scales;
    if (name === "map") mapSpec(spec, state.data, width, state.narrow);
    else spec.height = name === "scatter" ? Math.min(420, Math.max(260, width * 0.55)) : 230;
    if (name === "scatter") {
      side(spec, "x", scales[state.across], state.title(state.across), width);
      side(spec, "y", scales[state.up], state.title(state.up), spec.height + 90);
    }
    if (name === "profile") {
      side(spec, "y", scales[state.measure], state.title(state.measure), spec.height + 90);
      spec.layer.forEach(function (layer) { layer.encoding.x.scale = { domain: [-0.5, state.data.layers - 0.5], nice: false }; });
    }
    if (name === "ecdf") side(spec, "x", scales[state.measure], state.title(state.measure), width);
    const config = structuredClone(window.headcountConfigs[window.headcount.scheme()]);
    spec.params.find(function (entry) { return entry.name === "ink"; }).value = config.title.color;
    spec.description = state.described(name);
    spec.width = "container";
    spec.autosize = { type: "fit-x", contains: "padding", resize: true };
    spec.config = config;
    return spec;
  }

  window.headcountHeadMapViews = { NARROW: NARROW, colour: colour, dressed: dressed, legend: legend, made: made };
})();
