/*
The tabs: arrow keys, Home and End move between them; the address keeps which one is open (#compare).

Follows the pattern "Tabs" of the ARIA Authoring Practices, with automatic activation.
*/

const tabs = () => [...document.querySelectorAll("[role=tab]:not([hidden])")];

/* Open a tab by the id of its panel: "restore", "obfuscate" or "compare". */
export function openTab(name, { focus = false } = {}) {
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const isOpen = tab.getAttribute("aria-controls") === name;
    tab.setAttribute("aria-selected", String(isOpen));
    tab.tabIndex = isOpen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !isOpen;
    if (isOpen && focus) tab.focus();
  }
  history.replaceState(null, "", `#${name}`);
}

/* Take a tab away that the service has nothing for. */
export function hideTab(name) {
  const tab = document.getElementById(`tab-${name}`);
  tab.hidden = true;
  if (tab.getAttribute("aria-selected") === "true") openTab("restore");
}

export function startTabs() {
  const list = document.querySelector("[role=tablist]");
  list.addEventListener("click", (event) => {
    const tab = event.target.closest("[role=tab]");
    if (tab) openTab(tab.getAttribute("aria-controls"));
  });
  list.addEventListener("keydown", (event) => {
    const all = tabs();
    const at = all.indexOf(document.activeElement);
    const to = {
      ArrowRight: (at + 1) % all.length,
      ArrowLeft: (at - 1 + all.length) % all.length,
      Home: 0,
      End: all.length - 1,
    }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    openTab(all[to].getAttribute("aria-controls"), { focus: true });
  });
  window.addEventListener("hashchange", openAsked);
  openAsked();
}

/* Open the tab that the address names, if the service has something for it. */
function openAsked() {
  const asked = location.hash.slice(1);
  if (tabs().some((tab) => tab.getAttribute("aria-controls") === asked)) openTab(asked);
}
