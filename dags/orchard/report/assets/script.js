"use strict";
// The page's own script: draws the charts, and follows the controls of the map. Names of images and labels are
// untrusted data: they are set as text, never as markup.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const $ = (id) => document.getElementById(id);
  const points = read("points");
  const specs = read("specs");
  const tip = $("tip");
  const PICTURE = 30; // pixels: the width of the mark in the chart, and the minimum distance between pictures
  const ROWS = 100; // maximum rows of the table below the map
  const REACH = 24; // maximum pixels between a touch and the point that it selects
  const hidden = new Set(); // labels that the legend has switched off

  const nameOf = (label) => points.labels[label] || "(no label)";
  const uriOf = (i) => `data:image/webp;base64,${points.thumbnails[i]}`;

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function picture(i) {
    if (!points.thumbnails[i]) return element("span", "", { class: "nothing" });
    return element("img", undefined, { src: uriOf(i), alt: "", width: 64, height: 64 });
  }

  // Vega's tooltip handler. Touches are handled below: Vega would hide the tooltip as soon as the finger lifts.
  function followPointer(_, event, __, value) {
    if (event.pointerType !== "touch") showTip(event, value);
  }

  function showTip({ clientX, clientY }, value) {
    tip.hidden = value === null || value === undefined || value === "";
    if (tip.hidden) return;
    const i = Number(value);
    const caption = element("div");
    caption.append(
      element("strong", nameOf(points.label[i])),
      element("span", points.path[i]),
      element("span", [$("x"), $("y")].map((axis) => `PC${Number(axis.value) + 1} ${points.components[axis.value][i]}`).join("   ")),
    );
    tip.replaceChildren(picture(i), caption);
    const right = clientX + 16 + tip.offsetWidth < document.documentElement.clientWidth;
    tip.style.left = `${right ? clientX + 16 : Math.max(8, clientX - 16 - tip.offsetWidth)}px`;
    tip.style.top = `${Math.max(8, Math.min(clientY + 16, window.innerHeight - tip.offsetHeight - 8))}px`;
  }

  const options = {
    mode: "vega-lite", renderer: "svg", actions: false, defaultStyle: false, tooltip: followPointer,
    ast: true, // interpret expressions: the page's policy forbids eval
  };

  // Choose pictures that do not overlap: a grid limits the search to the neighbouring cells.
  function picturesApart(xs, ys, width, height, wanted) {
    const toPixels = (values, size) => {
      const low = Math.min(...values), span = Math.max(...values) - low || 1;
      return values.map((value) => ((value - low) / span) * size);
    };
    const left = toPixels(xs, width), top = toPixels(ys, height), grid = new Map();
    const cellOf = (pixels) => Math.floor(pixels / PICTURE);
    const isFree = (i) => {
      for (let dx = -1; dx <= 1; dx++) {
        for (let dy = -1; dy <= 1; dy++) {
          const other = grid.get(`${cellOf(left[i]) + dx} ${cellOf(top[i]) + dy}`);
          if (other !== undefined && Math.abs(left[other] - left[i]) < PICTURE && Math.abs(top[other] - top[i]) < PICTURE) return false;
        }
      }
      return true;
    };
    for (let i = 0; i < xs.length; i++) {
      if (wanted(i) && points.thumbnails[i] && isFree(i)) grid.set(`${cellOf(left[i])} ${cellOf(top[i])}`, i);
    }
    return new Set(grid.values());
  }

  const isWanted = (i, picked) => (picked < 0 ? !hidden.has(points.label[i]) : points.label[i] === picked);

  function rowsOf(xs, ys, picked, asPictures, width, height) {
    const wanted = (i) => isWanted(i, picked);
    const chosen = asPictures ? picturesApart(xs, ys, width, height, wanted) : new Set();
    const rows = [];
    for (let i = 0; i < xs.length; i++) {
      const label = points.label[i], front = wanted(i), url = chosen.has(i);
      if (front ? asPictures && !url : hidden.has(label)) continue;
      rows.push({
        i, x: xs[i], y: ys[i], front: front ? (url ? 2 : 1) : 0,
        ...(url ? { url: uriOf(i) } : {}),
        shape: points.shapes[label],
        fill: front ? `var(--c${points.colours[label]})` : "var(--faint)",
        opacity: url ? 1 : front ? 0.75 : 0.35,
        size: picked >= 0 && front ? 70 : 30,
      });
    }
    return rows.sort((a, b) => a.front - b.front);
  }

  const share = (component) => points.shares[component];
  const extent = (values) => [Math.min(...values), Math.max(...values)];
  let latest = 0, shown = null; // what the map shows: its rows, and Vega's view of them

  async function drawMap() {
    const x = Number($("x").value), y = Number($("y").value), picked = Number($("label").value);
    const asPictures = $("pictures").checked, host = $("map"), turn = ++latest;
    tip.hidden = true;
    const spec = structuredClone(specs.scatter);
    if (host.clientWidth < 500) spec.height = 360;
    const rows = rowsOf(points.components[x], points.components[y], picked, asPictures, host.clientWidth - 60, spec.height - 50);
    spec.data.values = rows;
    for (const layer of spec.layer) {
      // The extent of all images: points keep their place when the legend hides others.
      layer.encoding.x.scale.domain = extent(points.components[x]);
      layer.encoding.y.scale.domain = extent(points.components[y]);
      layer.encoding.x.axis.title = `PC${x + 1} · ${share(x)} of the variance`;
      layer.encoding.y.axis.title = `PC${y + 1} · ${share(y)}`;
    }
    const front = rows.filter((row) => row.front).length;
    $("said").textContent =
      `${front.toLocaleString("en")} ${asPictures ? "pictures" : "points"}${picked < 0 ? "" : ` of ${nameOf(picked)}`}, PC${x + 1} across, PC${y + 1} up.`;
    fillTable(x, y, picked);
    const { view } = await window.vegaEmbed(host, spec, options);
    if (turn !== latest) return;
    shown = { rows, view };
    host.dataset.drawn = String(turn);
  }

  function findNearest({ clientX, clientY }) {
    const { left, top } = $("map").querySelector("svg").getBoundingClientRect();
    const [x, y] = ["x", "y"].map((axis) => shown.view.scale(axis)), [across, down] = shown.view.origin();
    let nearest, least = REACH;
    for (const row of shown.rows) {
      const away = Math.hypot(left + across + x(row.x) - clientX, top + down + y(row.y) - clientY);
      if (row.front && away < least) [nearest, least] = [row.i, away];
    }
    return nearest;
  }

  function fillTable(x, y, picked) {
    const all = Array.from(points.label.keys()).filter((i) => isWanted(i, picked));
    const head = element("tr");
    for (const title of ["image", "label", "path", `PC${x + 1}`, `PC${y + 1}`]) {
      head.append(element("th", title, { scope: "col" }));
    }
    $("rows").tHead.replaceChildren(head);
    $("rows").tBodies[0].replaceChildren(...all.slice(0, ROWS).map((i) => {
      const row = element("tr"), first = element("td");
      first.append(picture(i));
      row.append(first, element("td", nameOf(points.label[i])), element("td", points.path[i], { class: "path" }));
      for (const axis of [x, y]) row.append(element("td", points.components[axis][i], { class: "number" }));
      return row;
    }));
    $("rows").caption.textContent =
      all.length > ROWS ? `The first ${ROWS} of ${all.length.toLocaleString("en")} images; choose a label to see others.` : `${all.length} images.`;
  }

  document.documentElement.classList.add("scripted");
  // The comparison page shows the charts only, beside those of the other run.
  const chartsAlone = window.name === "charts";
  document.documentElement.classList.toggle("charts", chartsAlone);
  for (const id of ["x", "y", "label", "pictures"]) $(id).addEventListener("change", drawMap);
  for (const button of document.querySelectorAll("button[data-label]")) {
    button.addEventListener("click", () => {
      $("label").value = button.dataset.label;
      drawMap();
      $("map-of-images").scrollIntoView({ behavior: "smooth" });
      $("label").focus({ preventScroll: true });
    });
  }
  document.querySelectorAll(".legend li").forEach((item, label) => {
    const button = element("button", undefined, { type: "button", "aria-pressed": "true" });
    button.append(...item.childNodes);
    button.addEventListener("click", () => {
      if (!hidden.delete(label)) hidden.add(label);
      button.setAttribute("aria-pressed", String(!hidden.has(label)));
      $("label").value = "-1"; // a highlighted label would override the legend
      drawMap();
    });
    item.append(button);
  });
  $("map").addEventListener("pointerup", (event) => {
    if (event.pointerType === "touch" && shown) showTip(event, findNearest(event));
  });
  document.addEventListener("pointerdown", (event) => { if (event.pointerType === "touch") tip.hidden = true; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") tip.hidden = true; });
  drawMap();
  window.vegaEmbed($("bars"), specs.bars, options);
  window.vegaEmbed($("counts"), specs.counts, options);
  if (!chartsAlone) window.vegaEmbed($("curve"), specs.curve, options);

  // In Airflow's pages the report is a srcdoc without a URL, so links within it need help. Links to other files would
  // lead nowhere: the surrounding page has them.
  if (document.URL.startsWith("about:srcdoc")) {
    document.documentElement.classList.add("framed");
    document.addEventListener("click", (event) => {
      const target = document.getElementById(event.target.closest('a[href^="#"]')?.hash.slice(1));
      if (target === null) return;
      event.preventDefault();
      target.scrollIntoView();
      target.focus({ preventScroll: true });
    });
  }
})();
