"use strict";
// Airflow shows the page in a frame that opens no windows and, before 3.3.2, saves no files. A link to Airflow's own
// pages must not take the place of the one that somebody is at: it is followed from Airflow's document, in a window
// of its own. A file is saved from there where the frame saves none.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leave], a[data-save]");
  if (link === null || window.parent === window) return;
  const saves = "save" in link.dataset;
  if (saves && window.frameElement.sandbox.contains("allow-downloads")) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  Object.assign(outside, { href: link.href }, saves ? { download: "" } : { target: "_blank", rel: "noopener" });
  outside.click();
});
// Airflow before 3.3.2 frames the list for every address below /plugin/orchard. The page that the address names is
// gone to once: the address stays as it is when somebody follows a link back to the list.
if (window.parent !== window && !("led" in window.frameElement.dataset)) {
  const { pathname, search } = window.parent.location;
  const named = pathname.slice(pathname.indexOf("/plugin/orchard/") + "/plugin/orchard".length);
  window.frameElement.dataset.led = "";
  if (pathname.includes("/plugin/orchard/") && named !== location.pathname && named.startsWith(location.pathname)) {
    location.replace(named + search);
  }
}
// What the page of a comparison would say, before the list is left for it.
document.addEventListener("submit", (event) => {
  const ticked = event.target.querySelectorAll("input[name=run]:checked").length;
  if (ticked === 2) return;
  event.preventDefault();
  document.getElementById("ticked").textContent =
    `Tick two runs to compare them: ${ticked || "none"} ${ticked > 1 ? "are" : "is"} ticked.`;
});
