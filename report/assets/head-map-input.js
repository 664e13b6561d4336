// The controls of the map of heads: menus and numbers, and the lines that say what is under the hand and what is chosen.
(function () {
  "use strict";
  const made = window.headcountHeadMapViews.made;

  function menu(state, label, chosen, changed) {
    const whole = made("label", "", label + " ");
    const select = made("select");
    state.data.measures.forEach(function (measure) {
      const option = made("option", "", measure.title);
      option.value = measure.id;
      select.append(option);
    });
    select.value = chosen;
    select.addEventListener("change", function () { changed(select.value); });
    whole.append(select);
    return whole;
  }

  function button(text, pressed) {
    const element = made("button", "", text);
    element.type = "button";
    element.addEventListener("click", pressed);
    return element;
  }

  // Menus above the charts, and the lines that speak.
  function controls(state) {
    const map = state.element.querySelector("[data-own=map]");
    const bar = made("div", "head-map-controls");
    const sorting = made("label");
    const box = made("input");
    box.type = "checkbox";
    box.addEventListener("change", function () { state.sorted = box.checked; state.fill(state); });
    sorting.append(box, " sorted within layers, highest first");
    bar.append(menu(state, "Measure", state.measure, function (id) { state.measure = id; state.measured(state); }), sorting);
    state.legend = made("div", "head-map-legend");
    state.readout = made("span", "head-map-readout");
    state.readout.setAttribute("role", "status");
    state.readout.setAttribute("aria-live", "polite");
    state.open = made("a");
    state.open.hidden = true;
    const line = made("div", "head-map-line");
    line.append(state.readout, state.open);
    const keys = "Click a cell for the head’s page. Drag to choose heads, or click a layer’s number. Keys: arrows move, Enter opens, Space chooses, Shift with Space the layer, Escape none.";
    map.querySelector("figcaption").after(bar, state.legend);
    map.append(line, made("p", "head-map-keys", keys));
    state.line = made("p", "head-map-chosen");
    state.line.hidden = true;
    state.count = made("span");
    state.count.setAttribute("role", "status");
    state.table = made("a", "", "show them in the table");
    state.line.append(state.count, " – ", state.table, " ", button("clear", function () { state.choose(state, []); }));
    state.element.append(state.line);
    scatterControls(state);
  }

  function scatterControls(state) {
    // Without JavaScript there is no scatter, so its place is made here.
    const figure = made("figure", "chart head-map-scatter");
    figure.dataset.own = "scatter";
    figure.append(made("figcaption", "", "Two measures of each head"), made("div", "chart-live"));
    state.element.querySelector("[data-own=map]").after(figure);
    const bar = made("div", "head-map-controls");
    function changed(side) {
      return function (id) {
        state[side] = id;
        state.box = null;
        names();
        state.draw(state, "scatter");
      };
    }
    bar.append(menu(state, "Across", state.across, changed("across")), menu(state, "Up", state.up, changed("up")));
    const details = made("details");
    details.append(made("summary", "", "Choose heads by numbers"));
    state.numbers = {};
    ["across", "up"].forEach(function (side) {
      const field = made("fieldset");
      field.append(made("legend"));
      state.numbers[side] = ["from", "to"].map(function (end) {
        const label = made("label", "", end + " ");
        const input = made("input");
        input.type = "number";
        input.step = "any";
        input.addEventListener("input", function () { byNumbers(state); });
        label.append(input);
        field.append(label);
        return input;
      });
      details.append(field);
    });
    function names() {
      details.querySelectorAll("legend").forEach(function (legend, place) { legend.textContent = state.title(place ? state.up : state.across); });
      told(state);
    }
    names();
    figure.querySelector("figcaption").after(bar);
    figure.append(details);
    // The box as the chart draws it: where an end is open, to the end of the axis.
    state.bounds = function (view) {
      const found = {};
      [["x", "across"], ["y", "up"]].forEach(function (side) {
        const domain = view.scale(side[0]).domain();
        found["low_" + side[0]] = Math.max(state.box[side[1]][0], domain[0]);
        found["high_" + side[0]] = Math.min(state.box[side[1]][1], domain[1]);
      });
      return found;
    };
  }

  function byNumbers(state) {
    const box = {};
    let any = false;
    Object.keys(state.numbers).forEach(function (side) {
      box[side] = state.numbers[side].map(function (input, place) {
        if (input.value === "" || isNaN(input.valueAsNumber)) return place ? Infinity : -Infinity;
        any = true;
        return input.valueAsNumber;
      });
    });
    state.typing = true;
    state.choose(state, any ? within(state, box) : [], any ? box : null);
  }

  function within(state, box) {
    return state.data.heads.filter(function (head, index) {
      return ["across", "up"].every(function (side) {
        const value = state.data.values[state[side]][index];
        return value !== null && value >= box[side][0] && value <= box[side][1];
      });
    }).map(function (head) { return head[0]; });
  }

  // Says how many heads are chosen, and writes the box's numbers where the pointer drew it.
  function told(state) {
    const names = state.data.heads.map(function (head) { return head[0]; }).filter(function (name) { return state.chosen.has(name); });
    state.line.hidden = names.length === 0 && !state.box;
    state.count.textContent = names.length + (names.length === 1 ? " head chosen" : " heads chosen");
    state.table.hidden = names.length === 0;
    state.table.href = "../../heads/" + state.data.slug + "/#heads=" + names.join(".");
    if (!state.typing) {
      Object.keys(state.numbers).forEach(function (side) {
        state.numbers[side].forEach(function (input, place) { input.value = state.box ? Number(state.box[side][place].toPrecision(4)) : ""; });
      });
    }
    state.typing = false;
  }

  // Says the head under the keyboard or finger, and offers its page.
  function read(state) {
    if (state.cursor < 0) return;
    const head = state.data.heads[state.cursor];
    state.readout.textContent = head[0] + ": " + state.said(state.measure, state.cursor, true) + (head[3] ? ", " + head[3] : "");
    state.open.hidden = false;
    state.open.textContent = "Open the page of " + head[0];
    state.open.href = "../../heads/" + state.data.slug + "/" + head[0] + "/";
  }

  window.headcountHeadMapInput = { controls: controls, told: told, read: read, within: within };
})();
