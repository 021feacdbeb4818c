"use strict";
// Airflow shows the page in a frame that opens no windows. A link to Airflow's own pages must not take the place of
// the one that somebody is at: it is followed from Airflow's document, in a window of its own.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leave]");
  if (link === null || window.parent === window) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  Object.assign(outside, { href: link.href, target: "_blank", rel: "noopener" });
  outside.click();
});
// What the page of a comparison would say, before the list is left for it.
document.addEventListener("submit", (event) => {
  const ticked = event.target.querySelectorAll("input[name=run]:checked").length;
  if (ticked === 2) return;
  event.preventDefault();
  document.getElementById("ticked").textContent =
    `Tick two runs to compare them: ${ticked || "none"} ${ticked > 1 ? "are" : "is"} ticked.`;
});
