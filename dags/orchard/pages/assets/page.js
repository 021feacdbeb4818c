"use strict";
// Airflow shows the page in a frame that no link can leave. Those to Airflow's own pages are followed by its window.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-leave]");
  if (link === null || window.parent === window || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  outside.click();
});
