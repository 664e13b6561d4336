// What the theme leaves out for readers with a keyboard or a screen reader: tables that scroll can be scrolled with arrow keys and have a name, the
// bar of each piece of code is no landmark, the menu and search of narrow windows are buttons, and the keyboard goes where the page goes.
(function () {
  "use strict";
  const narrow = window.matchMedia("(max-width: 76.234375em)");
  const sizes = new ResizeObserver(function (entries) { entries.forEach(function (entry) { scrolls(entry.target); }); });

  function headingBefore(element) {
    const headings = Array.from(document.querySelectorAll("article h1, article h2, article h3, article h4")).filter(function (heading) {
      return heading.compareDocumentPosition(element) & Node.DOCUMENT_POSITION_FOLLOWING;
    });
    const last = headings[headings.length - 1];
    return last ? last.textContent.replace("¶", "").trim() : "";
  }

  // A stop for the keyboard only where there is something to scroll.
  function scrolls(region) {
    if (region.scrollWidth > region.clientWidth) {
      region.tabIndex = 0;
      region.setAttribute("role", "group");
      region.setAttribute("aria-label", "Table: " + headingBefore(region));
    } else if (region.hasAttribute("tabindex")) {
      ["tabindex", "role", "aria-label"].forEach(function (attribute) { region.removeAttribute(attribute); });
    }
  }

  // The theme's labels open menu and search for a pointer alone.
  function asButton(label, title) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = label.className + " opens" + label.htmlFor;
    button.setAttribute("aria-label", title);
    button.append(...label.childNodes);
    // The theme listens to its label, which has left the page but hears a click all the same; the box behind the menu must be told.
    button.addEventListener("click", function () {
      label.click();
      if (label.htmlFor === "__drawer") document.getElementById(label.htmlFor).click();
    });
    label.replaceWith(button);
  }

  function tend() {
    document.querySelectorAll(".md-typeset__scrollwrap:not([data-tended])").forEach(function (region) {
      region.dataset.tended = "yes";
      sizes.observe(region);
    });
    document.querySelectorAll("nav.md-code__nav:not([role])").forEach(function (bar) { bar.setAttribute("role", "none"); });
    // Parts of the menu that open only in a narrow window; the theme opens what the Enter key is pressed on.
    document.querySelectorAll("label.md-nav__link[for]").forEach(function (part) { part.tabIndex = narrow.matches ? 0 : -1; });
  }

  // The theme leaves both schemes unchosen until one is picked; the keyboard then stands on the one whose button is hidden.
  const scheme = document.querySelector("input.md-option[data-md-color-scheme=" + document.body.dataset.mdColorScheme + "]");
  if (scheme && !document.querySelector("input.md-option:checked")) scheme.checked = true;

  // The theme scrolls to where the way past the menu leads, but leaves the keyboard behind; and as it goes there in steps of its own, it would
  // take the keyboard away again from whoever presses the next key at once. So the click is ours alone.
  document.addEventListener("click", function (event) {
    const skip = event.target instanceof Element && event.target.closest(".md-skip");
    const target = skip && document.getElementById(decodeURIComponent(skip.hash.slice(1)));
    if (!target) return;
    event.preventDefault();
    event.stopPropagation();
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
    target.scrollIntoView();
  }, true);

  document.querySelectorAll(".md-header__button[for=__drawer]").forEach(function (label) { asButton(label, "Menu"); });
  document.querySelectorAll(".md-header__button[for=__search]").forEach(function (label) { asButton(label, "Search"); });
  // The theme adds its parts when they come into sight.
  new MutationObserver(tend).observe(document.body, { childList: true, subtree: true });
  narrow.addEventListener("change", tend);
  tend();
})();
