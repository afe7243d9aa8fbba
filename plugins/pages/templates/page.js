// The page works without this. It takes over the colours chosen in Airflow's UI and, where the page is a tab of that
// UI, opens links to Airflow in the whole window instead of in the tab.
(() => {
  const root = document.documentElement;
  const host = window.parent === window ? null : window.parent.document;
  const takeTheme = () => {
    const chosen = host ? host.documentElement.style.colorScheme : window.localStorage.getItem("theme");
    root.style.colorScheme = ["light", "dark"].includes(chosen) ? chosen : "";
  };
  takeTheme();
  window.addEventListener("storage", takeTheme);
  if (!host) return;
  new MutationObserver(takeTheme).observe(host.documentElement, { attributeFilter: ["style"] });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-tab]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const away = host.createElement("a");
    away.href = link.dataset.tab;
    away.click();
  });
})();
