// Charts: puts the live Vega chart in the place of the picture, in the reader's colour scheme and choice of colours; opens the query a fact
// links to; remembers how much of a figure page the reader wants to see.
(function () {
  "use strict";
  const here = document.currentScript.src.replace(/headcount\.js.*$/, "");
  let loading = null;

  function vega() {
    loading = loading || new Promise(function (resolve, reject) {
      const script = document.createElement("script");
      script.src = here + "vega-bundle.js";
      script.onload = function () { resolve(window.vegaEmbed); };
      script.onerror = reject;
      document.head.append(script);
    });
    return loading;
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
    if (width < 560) coloured.legend.columns = spec.usermeta ? 3 : 1;
    dressed.width = "container";
    if (height) dressed.height = height;
    dressed.autosize = { type: "fit-x", contains: "padding" };
    dressed.config = window.headcountConfigs[scheme()];
    return dressed;
  }

  async function draw(figure) {
    const embed = await vega();
    const spec = JSON.parse(figure.querySelector("template.chart-spec").content.textContent);
    const live = figure.querySelector(".chart-live");
    live.hidden = false;
    await embed(live, dressed(spec, figure.clientWidth, Number(figure.dataset.height)), { actions: false, renderer: "svg" });
    figure.querySelector(".chart-static").hidden = true;
    figure.dataset.drawn = scheme() + ramp();
  }

  function offerRamps(figure) {
    const spec = figure.querySelector("template.chart-spec").content.textContent;
    if (figure.querySelector(".chart-ramp") || !JSON.parse(spec).usermeta) return;
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
    document.querySelectorAll("figure.chart").forEach(function (figure) {
      offerRamps(figure);
      figure.querySelectorAll(".chart-ramp button").forEach(function (button, choice) {
        button.setAttribute("aria-pressed", String(choice === ramp()));
      });
      if (figure.dataset.drawn !== scheme() + ramp()) draw(figure);
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
    openTarget();
  }

  new MutationObserver(drawAll).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
  window.addEventListener("hashchange", openTarget);
  if (window.document$) window.document$.subscribe(arrive);
  else arrive();
})();
