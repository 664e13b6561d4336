// The table of heads: sorts, filters, chooses columns, hands out what is shown. The rows stand in the page already; values come from heads.js.
// `#heads=L0H1.L12H3` in the address shows those heads alone.
(function () {
  "use strict";
  const BATCH = 200;

  function make(tag, text, properties) {
    const node = Object.assign(document.createElement(tag), properties || {});
    if (text) node.textContent = text;
    return node;
  }

  function labelled(text, control) {
    const label = make("label", text + " ");
    label.append(control);
    return label;
  }

  function chosenInAddress() {
    const found = /[#&]heads=([^&]*)/.exec(location.hash);
    return found ? new Set(decodeURIComponent(found[1]).split(".").filter(Boolean)) : null;
  }

  // A spreadsheet takes some texts for formulas: those get an apostrophe. Numbers stay as they are.
  function csvCell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value === "number") return String(value);
    const safe = /^[=+\-@\t\r]/.test(value) ? "'" + value : value;
    return '"' + safe.replace(/"/g, '""') + '"';
  }

  function build(element, data) {
    const table = element.querySelector("table");
    const body = table.tBodies[0];
    const shownFirst = [...table.querySelectorAll("th[data-column]")].map(function (th) { return th.dataset.column; }).slice(3);
    const known = new Map(data.measures.map(function (measure) { return [measure.id, measure]; }));
    const heads = data.heads.map(function (head, place) {
      return { name: head[0], layer: head[1], head: head[2], label: head[3], place: place, text: (head[0] + " " + (head[3] || "")).toLowerCase() };
    });
    const state = { columns: shownFirst, by: "head", down: false, chosen: chosenInAddress(), rows: [] };
    const controls = make("form", "", { className: "head-controls" });
    const count = make("p", "", { className: "head-count" });
    table.dataset.live = "yes";
    count.setAttribute("role", "status");
    const fields = {};
    let drawing = 0;
    let waiting = 0;

    function valueOf(head, column) {
      if (column === "head") return head.place;
      if (column === "layer") return head.layer;
      if (column === "label") return head.label;
      return data.values[column][head.place];
    }

    function number(field) {
      return field.value.trim() === "" || Number.isNaN(Number(field.value)) ? null : Number(field.value);
    }

    function within(value, low, high) {
      return (low === null && high === null) || (value !== null && (low === null || value >= low) && (high === null || value <= high));
    }

    function matching() {
      const words = fields.text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const label = fields.label.value;
      const layers = [number(fields.first), number(fields.last)];
      const bounds = [number(fields.low), number(fields.high)];
      return heads.filter(function (head) {
        return (!state.chosen || state.chosen.has(head.name))
          && words.every(function (word) { return head.text.includes(word); })
          && (label === "" || head.label === label)
          && within(head.layer, layers[0], layers[1])
          && within(valueOf(head, fields.measure.value), bounds[0], bounds[1]);
      });
    }

    // Heads without a value come last, whichever way; of equals the first head comes first.
    function sorted(found) {
      const sign = state.down ? -1 : 1;
      return found.sort(function (a, b) {
        const one = valueOf(a, state.by);
        const other = valueOf(b, state.by);
        if (one === null || other === null) return (one === null) - (other === null) || a.place - b.place;
        return (one < other ? -sign : one > other ? sign : 0) || a.place - b.place;
      });
    }

    function row(head) {
      const tr = document.createElement("tr");
      const name = document.createElement("th");
      name.scope = "row";
      name.append(make("a", head.name, { href: head.name + "/" }));
      tr.append(name, make("td", String(head.layer)), make("td", head.label || "–"));
      state.columns.forEach(function (id) {
        const cell = make("td", data.texts[id][head.place] || "–");
        if (data.intervals[id][head.place]) cell.append(" ", make("small", data.intervals[id][head.place]));
        tr.append(cell);
      });
      return tr;
    }

    // A batch of rows a frame, each batch put in at once: the page answers while a thousand rows are made, and nothing is measured between.
    function fill() {
      cancelAnimationFrame(drawing);
      const rows = state.rows;
      function batch(from) {
        const piece = document.createDocumentFragment();
        rows.slice(from, from + BATCH).forEach(function (head) { piece.append(row(head)); });
        if (from === 0) body.replaceChildren(piece);
        else body.append(piece);
        if (from + BATCH < rows.length) drawing = requestAnimationFrame(function () { batch(from + BATCH); });
      }
      batch(0);
    }

    function header() {
      const line = document.createElement("tr");
      [["head", "Head"], ["layer", "Layer"], ["label", "Label"]].concat(state.columns.map(function (id) {
        return [id, known.get(id).title + ", " + known.get(id).unit];
      })).forEach(function (column) {
        const th = document.createElement("th");
        th.scope = "col";
        th.dataset.column = column[0];
        const button = make("button", column[1], { type: "button" });
        button.addEventListener("click", function () {
          state.down = state.by === column[0] ? !state.down : known.has(column[0]);
          state.by = column[0];
          mark();
          update();
        });
        th.append(button);
        line.append(th);
      });
      table.tHead.replaceChildren(line);
      mark();
    }

    function mark() {
      table.tHead.querySelectorAll("th[data-column]").forEach(function (th) {
        if (th.dataset.column === state.by) th.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else th.removeAttribute("aria-sort");
      });
    }

    function update() {
      state.rows = sorted(matching());
      fill();
      const all = state.rows.length === heads.length;
      count.textContent = all ? "All " + heads.length + " heads." : state.rows.length + " of " + heads.length + " heads.";
      banner.hidden = !state.chosen;
      if (state.chosen) banner.firstChild.textContent = state.chosen.size + (state.chosen.size === 1 ? " head" : " heads") + " chosen in a chart. ";
    }

    // Typing waits for a pause, so that the count is announced once.
    function soon() {
      clearTimeout(waiting);
      waiting = setTimeout(update, 150);
    }

    function select(options) {
      const box = document.createElement("select");
      options.forEach(function (option) { box.append(make("option", option[1], { value: option[0] })); });
      return box;
    }

    function download() {
      const columns = ["head", "layer", "label"];
      const lines = [columns.concat(state.columns).map(csvCell).join(",")].concat(state.rows.map(function (head) {
        return [head.name, head.layer, head.label].concat(state.columns.map(function (id) { return data.values[id][head.place]; })).map(csvCell).join(",");
      }));
      const link = make("a", "", { download: "heads-" + data.slug + ".csv" });
      link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
      link.click();
      setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
    }

    function columnChoice() {
      const details = document.createElement("details");
      details.append(make("summary", "Columns"));
      const set = make("fieldset", "", { className: "head-columns" });
      set.append(make("legend", "Measures shown"));
      data.measures.forEach(function (measure) {
        const box = make("input", "", { type: "checkbox", checked: state.columns.includes(measure.id), name: measure.id });
        box.addEventListener("change", function () {
          const kept = new Set(state.columns);
          if (box.checked) kept.add(measure.id);
          else kept.delete(measure.id);
          state.columns = data.measures.map(function (one) { return one.id; }).filter(function (id) { return kept.has(id); });
          if (known.has(state.by) && !kept.has(state.by)) Object.assign(state, { by: "head", down: false });
          header();
          update();
        });
        const label = make("label", "");
        label.append(box, " " + measure.title);
        set.append(label);
      });
      details.append(set);
      return details;
    }

    function form() {
      const labels = [...new Set(heads.map(function (head) { return head.label; }).filter(Boolean))].sort();
      fields.text = make("input", "", { type: "search", autocomplete: "off" });
      fields.label = select([["", "any"]].concat(labels.map(function (label) { return [label, label]; })));
      fields.first = make("input", "", { type: "number", min: 0, max: data.layers - 1 });
      fields.last = make("input", "", { type: "number", min: 0, max: data.layers - 1 });
      fields.measure = select(data.measures.map(function (measure) { return [measure.id, measure.title + ", " + measure.unit]; }));
      fields.low = make("input", "", { type: "number", step: "any" });
      fields.high = make("input", "", { type: "number", step: "any" });
      const save = make("button", "Download what is shown", { type: "button" });
      save.addEventListener("click", download);
      controls.append(
        labelled("Head or label", fields.text), labelled("Label", fields.label), labelled("Layers from", fields.first), labelled("to", fields.last),
        labelled("Measure", fields.measure), labelled("at least", fields.low), labelled("at most", fields.high), save
      );
      controls.setAttribute("role", "search");
      controls.setAttribute("aria-label", "Heads shown");
      controls.addEventListener("input", soon);
      controls.addEventListener("submit", function (event) { event.preventDefault(); update(); });
    }

    const banner = make("p", "", { className: "head-chosen" });
    const everything = make("button", "Show all", { type: "button" });
    everything.addEventListener("click", function () {
      state.chosen = null;
      history.replaceState(history.state, "", location.pathname + location.search);
      update();
      fields.text.focus();
    });
    banner.append("", everything);
    form();
    element.prepend(controls, columnChoice(), banner, count);
    header();
    update();

    function follow() {
      if (!element.isConnected) return window.removeEventListener("hashchange", follow);
      const chosen = chosenInAddress();
      if (chosen) {
        state.chosen = chosen;
        update();
      }
    }
    window.addEventListener("hashchange", follow);
  }

  window.headcount.modules["head-table"] = async function (element) {
    const slug = element.dataset.slug;
    await window.headcount.load("../heads/" + slug + "/heads.js");
    build(element, window.headcountData[slug]);
  };
})();
