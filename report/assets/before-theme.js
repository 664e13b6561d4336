// What the theme has no setting for, told to it before it begins. Its site map, written before anybody knows where the site will lie – on which host,
// in which folder –, gets the place of the site at hand: only to addresses in it does the theme go without a reload. And its search index, by far the
// biggest file of a first visit, waits until somebody means to search.
(function () {
  "use strict";
  const site = new URL("../", document.currentScript.src).href;
  const parse = DOMParser.prototype.parseFromString;
  const open = XMLHttpRequest.prototype.open;
  const send = XMLHttpRequest.prototype.send;
  const addresses = new WeakMap();

  const searching = new Promise(function (resolve) {
    if (new URLSearchParams(location.search).has("q")) resolve();
    ["focusin", "pointerover", "touchstart"].forEach(function (kind) {
      document.addEventListener(kind, function (event) {
        if (event.target instanceof Element && event.target.closest("[data-md-component=search], [for=__search], .opens__search")) resolve();
      }, { passive: true });
    });
  });

  XMLHttpRequest.prototype.open = function (method, address) {
    addresses.set(this, new URL(address, location.href).href);
    return open.apply(this, arguments);
  };

  XMLHttpRequest.prototype.send = function () {
    const ask = send.bind(this, ...arguments);
    const address = addresses.get(this);
    const index = address === site + "search/search_index.json";
    // A page that was opened as a file may read no other; the theme then goes from page to page as any site does.
    if (location.protocol === "file:" && (index || address === site + "sitemap.xml")) return undefined;
    return index ? void searching.then(ask) : ask();
  };

  DOMParser.prototype.parseFromString = function (text, type) {
    const read = parse.call(this, text, type);
    const places = Array.from(type === "text/xml" ? read.querySelectorAll("urlset > url > loc") : []);
    // The home page has the shortest address: the root of all others, where they are given in full.
    const root = places.map(function (place) { return place.textContent; }).reduce(function (shortest, address) {
      return address.length < shortest.length ? address : shortest;
    }, places.length ? places[0].textContent : "");
    places.forEach(function (place) {
      const address = place.textContent;
      place.textContent = new URL(address.includes("://") ? address.slice(root.length) : address, site).href;
    });
    return read;
  };
})();
