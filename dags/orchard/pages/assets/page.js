"use strict";
// Airflow shows the page in a sandboxed frame that cannot open windows and, before 3.3.2, cannot download files.
// Links to Airflow's own pages must not replace the current page, so Airflow's document opens them in a new window;
// it also downloads files if the frame cannot.
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
// Before 3.3.2 Airflow frames the list of runs for every URL below /plugin/orchard. Go to the page that the URL names,
// but only once: the URL does not change when somebody follows a link back to the list.
if (window.parent !== window && !("led" in window.frameElement.dataset)) {
  const { pathname, search } = window.parent.location;
  const named = pathname.slice(pathname.indexOf("/plugin/orchard/") + "/plugin/orchard".length);
  window.frameElement.dataset.led = "";
  if (pathname.includes("/plugin/orchard/") && named !== location.pathname && named.startsWith(location.pathname)) {
    location.replace(named + search);
  }
}
// The comparison page shows the same error; this one avoids leaving the list.
document.addEventListener("submit", (event) => {
  const ticked = event.target.querySelectorAll("input[name=run]:checked").length;
  if (ticked === 2) return;
  event.preventDefault();
  document.getElementById("ticked").textContent =
    `Tick two runs to compare them: ${ticked || "none"} ${ticked > 1 ? "are" : "is"} ticked.`;
});
