// Charts: puts the live Vega chart in the place of the picture, in the reader's colour scheme and choice of colours; opens the query a fact
// links to; remembers how much of a figure page the reader wants to see.
(function () {
  "use strict";
  const here = document.currentScript.src.replace(/headcount\.js.*$/, "");
  const loading = {};
  // What `element.dataset.module` names is assets/NAME.js, which puts its function here: called once with each such element of a page.
  const modules = {};
  let awake = false;

  // A script of ours, once: the chart library and the modules come when a page asks for them. Works from file:// too, where fetch does not.
  function load(file) {
    loading[file] = loading[file] || new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.src = here + file;
      script.onload = resolve;
      // What was lost on the way is asked for again the next time.
      script.onerror = function (event) { delete loading[file]; script.remove(); reject(event); };
      document.head.append(script);
    });
    return loading[file];
  }

  // Draws a specification; the interpreter needs no eval, so a strict Content-Security-Policy may forbid it.
  async function embed(element, spec) {
    await load("vega-bundle.js");
    return window.vegaEmbed(element, spec, { actions: false, renderer: "svg", ast: true });
  }

  function scheme() {
    return document.body.dataset.mdColorScheme === "slate" ? "dark" : "light";
  }

  function ramp() {
    try { return localStorage.getItem("headcount-ramp") === "safe" ? 1 : 0; } catch (error) { return 0; }
  }

  function keepRamp(choice) {
    try { localStorage.setItem("headcount-ramp", choice ? "safe" : "classic"); } catch (error) { /* private windows keep nothing */ }
  }

  function wrapped(text, most) {
    return text.split(" ").reduce(function (lines, word) {
      const last = lines[lines.length - 1];
      if (last && (last + " " + word).length <= most) lines[lines.length - 1] = last + " " + word;
      else lines.push(word);
      return lines;
    }, []);
  }

  // The layer that carries the numbers: it has the colours and the words for a pointer.
  function mainLayer(spec) {
    return spec.layer.find(function (layer) { return layer.encoding.color && layer.encoding.tooltip; });
  }

  function dressed(spec, width, height) {
    const dressed = structuredClone(spec);
    const coloured = dressed.layer.find(function (layer) { return layer.encoding.color; }).encoding.color;
    if (spec.usermeta) {
      coloured.scale.range = spec.usermeta.ramps[ramp()];
      const printed = dressed.layer.find(function (layer) { return layer.encoding.fill; });
      if (printed) printed.encoding.fill.field = ramp() ? "inkSafe" : "ink";
      coloured.title = wrapped(spec.usermeta.legend, (width - 90) / 6);
    }
    coloured.legend.titleLimit = width;
    dressed.title = wrapped(spec.title, (width - 40) / 10);
    dressed.layer.forEach(function (layer) {
      const across = layer.encoding.x;
      if (across && across.title) across.title = wrapped([].concat(across.title).join(" "), (width - 90) / 7);
    });
    // Layers share a legend: where one has fewer columns, all have.
    if (width < 560) dressed.layer.flatMap(function (layer) { return Object.values(layer.encoding); }).forEach(function (channel) {
      if (channel.legend) channel.legend.columns = spec.usermeta ? 3 : 1;
    });
    dressed.width = "container";
    if (height) dressed.height = height;
    dressed.autosize = { type: "fit-x", contains: "padding" };
    dressed.config = window.headcountConfigs[scheme()];
    // What a reader points at or walks through, under a name by which it can be read and changed while the chart stands.
    const shown = mainLayer(dressed);
    ((shown && shown.data) || dressed.data).name = "segments";
    return dressed;
  }

  async function draw(figure) {
    const spec = JSON.parse(figure.querySelector("template.chart-spec").content.textContent);
    const live = figure.querySelector(".chart-live");
    live.hidden = false;
    figure.dataset.drawn = scheme() + ramp();
    const clothed = dressed(spec, figure.clientWidth, Number(figure.dataset.height));
    figure.dispatchEvent(new CustomEvent("headcount:dress", { detail: clothed }));
    const drawn = await embed(live, clothed);
    if (live.drawn) live.drawn.finalize();
    live.drawn = drawn;
    figure.querySelector(".chart-static").hidden = true;
    figure.dispatchEvent(new CustomEvent("headcount:drawn", { detail: drawn.view }));
  }

  function offerRamps(figure) {
    const spec = figure.querySelector("template.chart-spec").content.textContent;
    // One switch recolours all charts of a page.
    if (document.querySelector(".chart-ramp") || !JSON.parse(spec).usermeta) return;
    const bar = document.createElement("div");
    bar.className = "chart-ramp";
    bar.setAttribute("role", "group");
    bar.setAttribute("aria-label", "Colours of the bands");
    ["classic", "colour-blind safe"].forEach(function (name, choice) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.addEventListener("click", function () { keepRamp(choice); drawAll(); });
      bar.append(button);
    });
    figure.prepend(bar);
  }

  function drawAll() {
    // Those that a module draws by itself are left to it.
    document.querySelectorAll("figure.chart:not([data-own])").forEach(function (figure) {
      offerRamps(figure);
      if ((awake || ramp()) && figure.dataset.drawn !== scheme() + ramp()) draw(figure);
    });
    document.querySelectorAll(".chart-ramp button").forEach(function (button, choice) {
      button.setAttribute("aria-pressed", String(choice === ramp()));
    });
  }

  // A reader who only reads is served by the pictures: the chart library waits for the first sign of a pointer or key.
  function wake() {
    if (awake) return;
    awake = true;
    drawAll();
  }

  function mount() {
    document.querySelectorAll("[data-module]").forEach(async function (element) {
      if (element.dataset.mounted) return;
      element.dataset.mounted = "yes";
      await load(element.dataset.module + ".js");
      modules[element.dataset.module](element);
    });
  }

  function openTarget() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.querySelector("details");
    if (details) details.open = true;
    const hidden = target && target.closest("[class^=depth-]");
    const box = hidden && document.getElementById(hidden.className);
    if (box) box.checked = true;
  }

  function keepDepth() {
    document.querySelectorAll("fieldset.depth input").forEach(function (box) {
      try { box.checked = sessionStorage.getItem("headcount-" + box.id) !== "off"; } catch (error) { /* all is shown */ }
      box.addEventListener("change", function () {
        try { sessionStorage.setItem("headcount-" + box.id, box.checked ? "on" : "off"); } catch (error) { /* for this page only */ }
        drawAll();
      });
    });
  }

  function arrive() {
    keepDepth();
    drawAll();
    mount();
    openTarget();
  }

  window.headcount = {
    data: {}, draw: draw, embed: embed, load: load, mainLayer: mainLayer, modules: modules,
    root: here.replace(/assets\/$/, ""), scheme: scheme, wrapped: wrapped
  };
  ["pointermove", "pointerdown", "keydown", "wheel", "touchstart"].forEach(function (kind) {
    window.addEventListener(kind, wake, { passive: true, once: true });
  });

  new MutationObserver(drawAll).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
  window.addEventListener("hashchange", openTarget);
  // From a folder there is no instant navigation, and the theme then never says that a page has come.
  if (window.document$ && location.protocol !== "file:") window.document$.subscribe(arrive);
  else arrive();
})();
