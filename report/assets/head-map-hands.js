// The hands of the map of heads: pointer and keyboard on the map and on the scatter.
(function () {
  "use strict";
  const input = window.headcountHeadMapInput;

  function move(state, index) {
    state.cursor = index;
    input.read(state);
    state.mark(state, "map");
  }

  function openHead(state, index, apart) {
    move(state, index);
    if (apart) window.open(state.open.href, "_blank", "noopener");
    else state.open.click();
  }

  // The pointer's place in the plot, in pixels from its corner; `part` of the whole, from 0 to 1.
  function spot(view, live, event) {
    const frame = live.querySelector("svg").getBoundingClientRect();
    const origin = view.origin();
    const x = event.clientX - frame.left - origin[0];
    const y = event.clientY - frame.top - origin[1];
    return { x: x, y: y, across: x / view.width(), down: y / view.height() };
  }

  function clamp(value, most) {
    return Math.max(0, Math.min(most, value));
  }

  // Layer and place of a spot on the map; `edge` where it is the strip that the layers' numbers stand in.
  function cellAt(state, live, event) {
    const at = spot(state.view("map"), live, event);
    const along = state.narrow ? at.down : at.across;
    const beside = state.narrow ? at.across : at.down;
    return {
      layer: clamp(Math.floor(along * state.data.layers), state.data.layers - 1),
      place: clamp(Math.floor(beside * state.data.heads_per_layer), state.data.heads_per_layer - 1),
      inside: along >= 0 && along < 1 && beside >= 0 && beside < 1,
      edge: along >= 0 && along < 1 && (state.narrow ? beside < 0 : beside >= 1),
    };
  }

  function indexAt(state, layer, place) {
    return state.data.heads.findIndex(function (head, index) { return head[1] === layer && state.places[index] === place; });
  }

  function between(state, from, to) {
    return state.data.heads.filter(function (head, index) {
      const place = state.places[index];
      return head[1] >= Math.min(from.layer, to.layer) && head[1] <= Math.max(from.layer, to.layer)
        && place >= Math.min(from.place, to.place) && place <= Math.max(from.place, to.place);
    }).map(function (head) { return head[0]; });
  }

  function layerOf(state, layer) {
    return state.data.heads.filter(function (head) { return head[1] === layer; }).map(function (head) { return head[0]; });
  }

  // Adds heads to the chosen ones, or takes them away where all of them are chosen.
  function toggle(state, names) {
    const all = names.every(function (name) { return state.chosen.has(name); });
    const rest = Array.from(state.chosen).filter(function (name) { return !names.includes(name); });
    state.choose(state, all ? rest : rest.concat(names));
  }

  // Follows a press of the mouse or pen to its end, also outside of the chart; a finger scrolls the page as everywhere.
  function dragged(live, begin) {
    if (live.dataset.drags) return;
    live.dataset.drags = "yes";
    live.addEventListener("pointerdown", function (event) {
      if (event.button !== 0 || event.pointerType === "touch" || !event.target.closest("svg")) return;
      const hands = begin(event);
      if (!hands) return;
      event.preventDefault();
      live.focus({ preventScroll: true });
      function ended(last) {
        window.removeEventListener("pointermove", hands.moved);
        window.removeEventListener("pointerup", ended);
        window.removeEventListener("pointercancel", ended);
        if (last.type === "pointerup") hands.ended(last);
      }
      window.addEventListener("pointermove", hands.moved);
      window.addEventListener("pointerup", ended);
      window.addEventListener("pointercancel", ended);
    });
  }

  // A cell leads to its head's page, a drag over cells chooses them, a layer's number its layer; with Shift they add to what is chosen.
  function onMap(state, live) {
    if (live.dataset.drags) return;
    keyboard(state, live);
    dragged(live, function (event) {
      const start = cellAt(state, live, event);
      const before = event.shiftKey ? Array.from(state.chosen) : [];
      let wide = false;
      if (start.edge) {
        const names = layerOf(state, start.layer);
        if (event.shiftKey) toggle(state, names);
        else state.choose(state, names);
        return null;
      }
      if (!start.inside) return null;
      return {
        moved: function (next) {
          const now = cellAt(state, live, next);
          wide = wide || now.layer !== start.layer || now.place !== start.place;
          if (wide) state.choose(state, before.concat(between(state, start, now)));
        },
        ended: function (last) {
          const index = indexAt(state, start.layer, start.place);
          if (wide || index < 0) return;
          if (event.shiftKey) toggle(state, [state.data.heads[index][0]]);
          else openHead(state, index, last.ctrlKey || last.metaKey);
        },
      };
    });
    // A finger's first tap says the head, its second opens the page.
    live.addEventListener("click", function (event) {
      if (event.pointerType !== "touch" || !event.target.closest("svg")) return;
      const cell = cellAt(state, live, event);
      const index = cell.inside ? indexAt(state, cell.layer, cell.place) : -1;
      if (cell.edge) state.choose(state, layerOf(state, cell.layer));
      else if (index >= 0 && index === state.cursor) openHead(state, index);
      else if (index >= 0) { state.focused = true; move(state, index); }
    });
  }

  function keyboard(state, live) {
    live.tabIndex = 0;
    live.setAttribute("role", "application");
    live.setAttribute("aria-roledescription", "map of heads");
    live.setAttribute("aria-label", "Map of heads: arrow keys move from head to head, Enter opens a head’s page, Space chooses it");
    live.addEventListener("focus", function () {
      // A pointer brings the focus too, but needs no frame.
      state.focused = live.matches(":focus-visible");
      if (state.focused && state.cursor < 0) state.cursor = indexAt(state, 0, 0);
      if (state.focused) input.read(state);
      state.mark(state, "map");
    });
    live.addEventListener("blur", function () { state.focused = false; state.mark(state, "map"); });
    live.addEventListener("keydown", function (event) {
      if (event.altKey || event.ctrlKey || event.metaKey) return;
      const index = state.cursor < 0 ? indexAt(state, 0, 0) : state.cursor;
      const head = state.data.heads[index];
      const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      state.focused = true;
      if (steps) stepped(state, index, state.narrow ? [steps[1], steps[0]] : steps);
      else if (event.key === "Home") stepped(state, index, [-head[1], 0]);
      else if (event.key === "End") stepped(state, index, [state.data.layers - 1 - head[1], 0]);
      else if (event.key === "Enter") openHead(state, index);
      else if (event.key === " ") toggle(state, event.shiftKey ? layerOf(state, head[1]) : [head[0]]);
      else if (event.key === "Escape") state.choose(state, []);
      else return;
      event.preventDefault();
    });
  }

  // To the cell so many layers and places on; at the edge it stays.
  function stepped(state, index, by) {
    const layer = clamp(state.data.heads[index][1] + by[0], state.data.layers - 1);
    const next = indexAt(state, layer, clamp(state.places[index] + by[1], state.data.heads_per_layer - 1));
    if (next >= 0) move(state, next);
  }

  // A drag over the scatter draws a box whose heads are chosen; a dot leads to its head's page; a click beside the dots lets all go.
  function onScatter(state, live) {
    if (live.dataset.drags) return;
    dragged(live, function (event) {
      const start = spot(state.view("scatter"), live, event);
      if (start.across < 0 || start.across > 1 || start.down < 0 || start.down > 1) return null;
      let wide = false;
      return {
        moved: function (next) {
          const now = spot(state.view("scatter"), live, next);
          wide = wide || Math.abs(now.x - start.x) + Math.abs(now.y - start.y) > 4;
          if (!wide) return;
          const box = boxOf(state.view("scatter"), start, now);
          state.choose(state, input.within(state, box), box);
        },
        ended: function (last) {
          if (wide) return;
          const dot = event.target.__data__;
          const name = dot && dot.datum && dot.datum.name;
          const index = state.data.heads.findIndex(function (head) { return head[0] === name; });
          if (index >= 0) openHead(state, index, last.ctrlKey || last.metaKey);
          else state.choose(state, []);
        },
      };
    });
  }

  // The values between two spots of the scatter.
  function boxOf(view, from, to) {
    const found = {};
    [["x", "across", view.width()], ["y", "up", view.height()]].forEach(function (side) {
      const scale = view.scale(side[0]);
      found[side[1]] = [from, to].map(function (at) { return scale.invert(clamp(at[side[0]], side[2])); }).sort(function (a, b) { return a - b; });
    });
    return found;
  }

  input.map = onMap;
  input.scatter = onScatter;
})();
