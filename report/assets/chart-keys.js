// Charts by keyboard: each is one tab stop; arrow keys walk through its segments or points, spoken by one live region and ringed on the chart.
// Tells the figure what is reached ("headcount:segment") and chosen with Enter ("headcount:choose"), the datum as detail, null on leaving.
(function () {
  "use strict";
  const HINT = "Arrow keys walk through the chart, Escape leaves it.";
  const states = new WeakMap();
  let region = null;

  function say(text) {
    if (!region || !region.isConnected) {
      region = document.createElement("p");
      region.className = "chart-says";
      region.setAttribute("aria-live", "polite");
      (document.querySelector("article") || document.body).append(region);
    }
    region.textContent = text;
  }

  function specOf(figure) {
    return JSON.parse(figure.querySelector("template.chart-spec").content.textContent);
  }

  // The chart's series in the order of its legend, each with its points from left to right.
  function seriesOf(state) {
    const layer = state.layer;
    const rows = state.view ? state.view.data("segments") : (layer.data || state.spec.data).values;
    const x = layer.encoding.x;
    const band = layer.encoding.color.field;
    const names = layer.encoding.color.scale.domain;
    const place = function (row) { return x.type === "nominal" ? (x.sort || []).indexOf(row[x.field]) : row[x.field]; };
    return names.map(function (name) {
      return rows.filter(function (row) { return row[band] === name; }).sort(function (a, b) { return place(a) - place(b); });
    }).filter(function (points) { return points.length; });
  }

  function words(state, row) {
    return state.layer.encoding.tooltip.map(function (tip) { return tip.title + " " + row[tip.field]; }).join(", ");
  }

  // The mark of a datum with the offset of the groups around it.
  function markOf(group, row, left, top) {
    const wanted = ["rect", "symbol", "area", "line"];
    const same = function (datum) { return Object.keys(row).every(function (key) { return datum[key] === row[key]; }); };
    for (const mark of group.items || []) {
      for (const item of mark.items || []) {
        if (mark.marktype === "group") {
          const found = markOf(item, row, left + (item.x || 0), top + (item.y || 0));
          if (found) return found;
        } else if (mark.role === "mark" && wanted.includes(mark.marktype) && item.datum && same(item.datum)) {
          return { item: item, kind: mark.marktype, left: left, top: top };
        }
      }
    }
    return null;
  }

  // Puts the ring around a bar, or around a point.
  function ring(state) {
    const found = state.row && state.view && markOf({ items: [state.view.scenegraph().root] }, state.row, 0, 0);
    state.ring.hidden = !found;
    if (!found) return;
    const item = found.item;
    const point = { x1: item.x - 7, x2: item.x + 7, y1: item.y - 7, y2: item.y + 7 };
    const box = found.kind === "rect" ? item.bounds : point;
    const padding = state.view.padding();
    const origin = state.view.origin();
    state.ring.classList.toggle("is-point", found.kind !== "rect");
    state.ring.style.left = found.left + origin[0] + padding.left + box.x1 + "px";
    state.ring.style.top = found.top + origin[1] + padding.top + box.y1 + "px";
    state.ring.style.width = Math.max(box.x2 - box.x1, 4) + "px";
    state.ring.style.height = Math.max(box.y2 - box.y1, 4) + "px";
  }

  function tell(state, row) {
    state.row = row;
    ring(state);
    state.said.textContent = row ? words(state, row) : "";
    if (row) say(words(state, row));
    state.figure.dispatchEvent(new CustomEvent("headcount:segment", { detail: row }));
  }

  function nearest(points, value, place) {
    return typeof value !== "number" ? Math.min(place, points.length - 1) : points.reduce(function (best, row, index) {
      return Math.abs(row - value) < Math.abs(points[best] - value) ? index : best;
    }, 0);
  }

  // Up and down keep the place across: the same range, or the nearest value.
  function stepped(state, series, by) {
    const line = Math.max(0, Math.min(series.length - 1, state.line + by));
    const field = state.layer.encoding.x.field;
    const across = function (row) { return row[field]; };
    state.point = nearest(series[line].map(across), across(series[state.line][state.point]), state.point);
    state.line = line;
  }

  function move(state, key) {
    const series = seriesOf(state);
    if (!series.length) return;
    if (state.line === null || key === "Home") {
      state.line = state.line === null ? series.length - 1 : state.line;
      state.point = 0;
    } else if (key === "ArrowUp" || key === "ArrowDown") {
      stepped(state, series, key === "ArrowUp" ? -1 : 1);
    } else if (key === "End") {
      state.point = series[state.line].length - 1;
    } else {
      state.point = Math.max(0, Math.min(series[state.line].length - 1, state.point + (key === "ArrowLeft" ? -1 : 1)));
    }
    tell(state, series[state.line][state.point]);
  }

  function leave(state) {
    state.line = null;
    tell(state, null);
  }

  function press(state, event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(event.key)) move(state, event.key);
    else if (event.key === "Escape" && state.row) leave(state);
    else if (event.key === "Enter" && state.row) state.figure.dispatchEvent(new CustomEvent("headcount:choose", { detail: state.row }));
    else return;
    event.preventDefault();
  }

  // A pointer moves the ring as keys do, and keys go on from there; nothing is said aloud.
  function follow(state, wanted) {
    seriesOf(state).forEach(function (points, line) {
      points.forEach(function (row, point) {
        if (Object.keys(wanted).every(function (key) { return row[key] === wanted[key]; })) Object.assign(state, { line: line, point: point, row: row });
      });
    });
    ring(state);
  }

  // The chart again as it stands after a change of its data: the same place, its new numbers.
  function refresh(state) {
    if (state.line === null) return;
    const series = seriesOf(state);
    state.row = series[state.line][state.point];
    state.said.textContent = words(state, state.row);
    ring(state);
  }

  function prepare(figure) {
    const stage = figure.querySelector(".chart-stage");
    if (!stage || states.has(figure)) return;
    const spec = specOf(figure);
    const layer = window.headcount.mainLayer(spec);
    if (!layer) return;
    const made = function (kind, name) {
      const element = document.createElement(kind);
      element.className = name;
      element.setAttribute("aria-hidden", "true");
      stage.append(element);
      return element;
    };
    const ringed = made("div", "chart-ring");
    ringed.hidden = true;
    const drawn = figure.querySelector(".chart-live").drawn;
    const state = {
      figure: figure, spec: spec, layer: layer, view: drawn ? drawn.view : null, line: null, point: 0, row: null, ring: ringed,
      said: made("p", "chart-said")
    };
    states.set(figure, state);
    stage.tabIndex = 0;
    stage.setAttribute("role", "application");
    stage.setAttribute("aria-roledescription", "chart");
    stage.setAttribute("aria-label", [].concat(spec.title).join(" ") + ". " + spec.description + " " + HINT);
    figure.querySelector(".chart-live").setAttribute("aria-hidden", "true");
    stage.addEventListener("keydown", function (event) { press(state, event); });
    // Where a list of heads stays, the ring stays with it.
    stage.addEventListener("blur", function () { state.ring.hidden = !figure.querySelector(".figure-panel"); });
    stage.addEventListener("focus", function () { ring(state); });
    figure.addEventListener("headcount:drawn", function (event) { state.view = event.detail; refresh(state); });
    figure.addEventListener("headcount:pointed", function (event) { follow(state, event.detail); });
    figure.addEventListener("headcount:changed", function () { refresh(state); });
    new ResizeObserver(function () { ring(state); }).observe(figure);
  }

  function arrive() {
    document.querySelectorAll("figure.chart").forEach(prepare);
  }

  // Opened from a file, the theme never announces a page.
  if (window.document$ && location.protocol !== "file:") window.document$.subscribe(arrive);
  else arrive();
})();
