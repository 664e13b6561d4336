// The theme goes from page to page without a reload, but only to addresses that the site's map gives in full. The map is written before anybody
// knows where the site will lie – on which host, in which folder –, so this gives its entries the place of the site at hand.
(function () {
  "use strict";
  const site = new URL("../", document.currentScript.src).href;
  const parse = DOMParser.prototype.parseFromString;

  // The theme has no setting for this; all it does with the map, it does through this call.
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
