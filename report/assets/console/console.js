// The SQL console: a query in, a table out. The query is part of the page's address, so it can be kept and shared; nothing of the engine is
// loaded before the first query runs. All values are set as text, never as markup.
(function () {
  "use strict";
  const SHOWN = 500;
  const MOST_BARS = 60;
  // DuckDB's names of number types, and Arrow's.
  const NUMBER = /^(U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\([\d,]+\)|(Ui|I)nt\d+|Float\d+|Decimal.*)$/;
  const HINTS = [
    [/external extensions|json extension|not in the catalog, but/, "The console has no extensions: for this, query the downloaded file on your own machine."],
    [/file system operations|external access/, "The console reads the published file and nothing else."],
    [/read-only/, "The file is read-only; a temporary table is allowed: create temp table."],
    [/configuration has been locked/, "The console's settings are fixed."],
    [/^Parser Error/, "Look at the word that the message names, and at the commas and brackets before it."],
    [/^Catalog Error/, "The views and columns are listed below."],
    [/^Binder Error/, "The columns of each view are listed below."],
    [/[Oo]ut of [Mm]emory|stopped/, "Ask for fewer rows or columns, or query the downloaded file on your own machine."],
  ];

  function make(tag, attributes, children) {
    const node = document.createElement(tag);
    Object.entries(attributes || {}).forEach(function (entry) { node.setAttribute(entry[0], entry[1]); });
    node.append.apply(node, children || []);
    return node;
  }

  function button(text, action) {
    const node = make("button", { type: "button", class: "md-button" }, [text]);
    node.addEventListener("click", action);
    return node;
  }

  function address(sql) {
    return "#q=" + encodeURIComponent(sql);
  }

  function addressed() {
    try { return location.hash.startsWith("#q=") ? decodeURIComponent(location.hash.slice(3)) : ""; } catch (error) { return ""; }
  }

  function examples() {
    return [].map.call(document.querySelectorAll("details.console-example"), function (details) {
      return { title: details.querySelector("summary").textContent.trim(), sql: details.querySelector("code").textContent.trim() };
    });
  }

  function megabytes(bytes) {
    return (bytes / 1e6).toFixed(1) + " MB";
  }

  function hint(message) {
    const found = HINTS.find(function (entry) { return entry[0].test(message); });
    return found ? found[1] : "";
  }

  // As in the site's own CSV files: text that a spreadsheet would take for a formula gets an apostrophe, numbers stay untouched.
  function csv(answer) {
    function cell(value, column) {
      if (value === null) return "";
      if (column && NUMBER.test(column.type)) return value;
      return '"' + (/^[=+\-@\t\r]/.test(value) ? "'" + value : value).replace(/"/g, '""') + '"';
    }
    const lines = [answer.columns.map(function (column) { return cell(column.name); })];
    answer.rows.forEach(function (row) {
      lines.push(row.map(function (value, at) { return cell(value, answer.columns[at]); }));
    });
    return lines.map(function (line) { return line.join(",") + "\n"; }).join("");
  }

  function download(answer) {
    const link = make("a", { href: URL.createObjectURL(new Blob([csv(answer)], { type: "text/csv" })), download: "query.csv" });
    link.click();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 1000);
  }

  // What two columns can be drawn as: bars where each text stands once, points otherwise; null where there is nothing to draw.
  function chartOf(answer) {
    const numeric = answer.columns.map(function (column) { return NUMBER.test(column.type); });
    if (answer.columns.length !== 2 || answer.rows.length < 2 || !(numeric[0] || numeric[1])) return null;
    const y = numeric[1] ? 1 : 0;
    const x = 1 - y;
    const values = answer.rows.slice(0, SHOWN).filter(function (row) { return row[x] !== null && row[y] !== null; }).map(function (row) {
      return { x: numeric[x] ? Number(row[x]) : row[x], y: Number(row[y]) };
    });
    const once = new Set(values.map(function (value) { return value.x; })).size === values.length;
    const bars = !numeric[x] && once && values.length <= MOST_BARS;
    const colour = getComputedStyle(document.body).getPropertyValue("--hc-accent").trim();
    // Vega takes a backslash in a title for the beginning of a code, and ends its expression at the end of a line.
    const titles = [answer.columns[x].name, answer.columns[y].name].map(function (name) {
      return name.replace(/[\\\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "\u2216");
    });
    return {
      description: (bars ? "Bars: " : "Points: ") + titles[1] + " by " + titles[0] + ", " + values.length + " rows of the table",
      data: { values: values },
      mark: bars ? { type: "bar", color: colour } : { type: "point", filled: true, color: colour, size: 40 },
      encoding: {
        x: numeric[x] ? { field: "x", type: "quantitative", title: titles[0], scale: { zero: false } }
          : { field: "x", type: "nominal", title: titles[0], sort: null, axis: { labelAngle: -40, labelLimit: 180 } },
        y: { field: "y", type: "quantitative", title: titles[1], scale: { zero: bars } },
      },
      width: "container", height: 260, autosize: { type: "fit-x", contains: "padding" },
      config: window.headcountConfigs[window.headcount.scheme()],
    };
  }

  function tableOf(answer) {
    function side(at) { return NUMBER.test(answer.columns[at].type) ? "number" : "text"; }
    const head = make("tr", {}, answer.columns.map(function (column, at) {
      return make("th", { scope: "col", class: side(at) }, [column.name, make("small", {}, [column.type.toLowerCase()])]);
    }));
    const body = answer.rows.slice(0, SHOWN).map(function (row) {
      return make("tr", {}, row.map(function (value, at) {
        return make("td", { class: side(at) + (value === null ? " null" : "") }, [value === null ? "null" : value]);
      }));
    });
    const table = make("table", { class: "console-table" }, [make("thead", {}, [head]), make("tbody", {}, body)]);
    return make("div", { class: "console-scroll", role: "region", tabindex: "0", "aria-label": "Rows of the answer" }, [table]);
  }

  function told(answer) {
    const count = answer.rows.length;
    const all = (answer.more ? "More than " : "") + count.toLocaleString("en") + (count === 1 ? " row" : " rows");
    return all + (count > SHOWN ? "; the table shows the first " + SHOWN + (answer.more ? ", the CSV the first " + count.toLocaleString("en") : "") : "");
  }

  function show(result, answer) {
    const bar = make("div", { class: "console-bar" }, [button("Download CSV", function () { download(answer); })]);
    const place = make("div", { class: "console-chart" });
    function draw() {
      place.dataset.drawn = "yes";
      window.headcount.embed(place, chartOf(answer));
    }
    if (chartOf(answer)) bar.append(button("Draw a chart", draw));
    // The colours of a chart that is drawn follow the scheme.
    result.redraw = function () { if (place.dataset.drawn) draw(); };
    result.replaceChildren(bar, place, tableOf(answer));
  }

  function build(element) {
    const parts = {
      text: make("textarea", { id: "console-query", rows: "6", spellcheck: "false", autocapitalize: "off", autocomplete: "off" }),
      run: button("Run", function () { ask(parts, parts.text.value); }),
      cancel: button("Cancel", function () { stop(parts); parts.status.textContent = "Cancelled."; parts.text.focus(); }),
      progress: make("p", { class: "console-progress" }),
      status: make("p", { role: "status" }),
      error: make("div", { role: "alert", class: "console-error" }),
      result: make("div", { class: "console-result" }),
    };
    parts.run.classList.add("md-button--primary");
    parts.cancel.hidden = true;
    parts.text.addEventListener("keydown", function (event) {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      ask(parts, parts.text.value);
    });
    const list = examples().map(function (example) {
      const link = make("a", { href: address(example.sql) }, [example.title]);
      link.addEventListener("click", function (event) {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        // Instant navigation is for pages: here only the query changes.
        event.preventDefault();
        event.stopPropagation();
        ask(parts, example.sql);
      });
      return make("li", {}, [link]);
    });
    element.replaceChildren(
      make("label", { for: "console-query" }, ["Query"]), parts.text,
      make("div", { class: "console-bar" }, [parts.run, parts.cancel, make("span", { class: "console-keys" }, ["Ctrl+Enter or ⌘+Enter runs it"])]),
      parts.progress, parts.status, parts.error, parts.result,
      make("nav", { "aria-label": "Example queries" }, [make("p", {}, ["Or run one of these:"]), make("ul", {}, list)])
    );
    return parts;
  }

  // A running query ends with its engine, also one that is still being fetched: the next one starts a new one.
  function stop(parts) {
    if (parts.open) parts.open.close();
    parts.open = null;
    parts.turn = null;
    parts.cancel.hidden = true;
    parts.progress.textContent = "";
  }

  async function engine(parts, turn) {
    await window.headcount.load("console-engine.js");
    if (parts.turn === turn) parts.open = parts.open || window.headcount.openEngine(function (bytes) {
      if (!parts.ready) parts.progress.textContent = "Engine and file: " + megabytes(bytes) + " loaded";
    });
    return parts.open;
  }

  async function ask(parts, sql) {
    if (!sql.trim()) return;
    parts.text.value = sql;
    parts.asked = sql;
    // Instant navigation would take a new entry of the history for a new page.
    if (addressed() !== sql) history.replaceState(history.state, "", address(sql));
    // The query that is still running, if any, gives way.
    if (!parts.cancel.hidden) stop(parts);
    const turn = parts.turn = {};
    parts.ready = Boolean(parts.open);
    parts.error.replaceChildren();
    parts.result.replaceChildren();
    parts.cancel.hidden = false;
    parts.status.textContent = parts.ready ? "Running…" : "Loading the engine and the file…";
    const began = performance.now();
    try {
      const answer = await (await engine(parts, turn)).query(sql);
      if (parts.turn !== turn) return;
      parts.status.textContent = told(answer) + " in " + ((performance.now() - began) / 1000).toFixed(1) + " s";
      show(parts.result, answer);
    } catch (error) {
      if (parts.turn !== turn) return;
      parts.status.textContent = "";
      fail(parts, error);
    }
    if (document.activeElement === parts.cancel) parts.text.focus();
    parts.cancel.hidden = true;
    parts.progress.textContent = "";
  }

  function fail(parts, error) {
    const message = error.message || "The engine could not be loaded.";
    // Only an answer of the database leaves the engine as it was.
    if (!/^[A-Z][\w ]* Error: /.test(message)) stop(parts);
    parts.error.replaceChildren(make("pre", {}, [message]), make("p", {}, [hint(message)]));
  }

  window.headcount.modules.console = function (element) {
    if (location.protocol === "file:") {
      element.textContent = "The console needs a web server, because a browser does not let a page read the files beside it. " +
        "python -m report serve shows the site on this machine.";
      return;
    }
    const parts = build(element);
    function follow() {
      if (element.isConnected && addressed() && addressed() !== parts.asked) ask(parts, addressed());
    }
    const watcher = new MutationObserver(function () { if (parts.result.redraw) parts.result.redraw(); });
    watcher.observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
    window.addEventListener("hashchange", follow);
    // A reader who leaves by instant navigation takes neither engine nor listeners along.
    const departure = window.document$ && window.document$.subscribe(function () {
      if (element.isConnected) return;
      stop(parts);
      watcher.disconnect();
      window.removeEventListener("hashchange", follow);
      departure.unsubscribe();
    });
    follow();
  };
})();
