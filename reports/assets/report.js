// Looks results up for a reader: another port in the pod matrix, the flows of a cell, a filter over all flows.
// Decides nothing and computes no result; every word, sign and number here comes from the data that the page carries.
"use strict";

(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const size = data.axis.length;
  const at = (id) => document.getElementById(id);
  const signOf = Object.fromEntries([...data.codes].map((code, index) => [code, data.signs[index]]));
  const SHOWN_IN_CELL = 20;
  const SMALLEST_GLYPH = 8; // pixels

  for (const element of document.querySelectorAll(".scripted")) element.hidden = false;
  for (const element of document.querySelectorAll(".unscripted")) element.hidden = true;
  // Closed details would be missing on paper.
  addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
  const openTarget = () => {
    const target = at(decodeURIComponent(location.hash.slice(1)));
    if (target instanceof HTMLDetailsElement) target.open = true;
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  // Flows ---------------------------------------------------------------------------------------------------------

  const textsOf = (flow) => flow.slice(3).map((index) => data.strings[index]);

  function makeTag(sign) {
    const tag = document.createElement("span");
    tag.className = `tag ${sign.key}`;
    const glyph = document.createElement("span");
    glyph.className = "glyph";
    glyph.ariaHidden = "true";
    glyph.textContent = sign.glyph;
    tag.append(glyph, ` ${sign.word}`);
    return tag;
  }

  function makeRow(flow, labels) {
    const row = document.createElement("tr");
    [makeTag(data.signs[flow[0]]), ...textsOf(flow)].forEach((content, column) => {
      const cell = row.insertCell();
      cell.dataset.label = labels[column];
      cell.append(content);
    });
    return row;
  }

  const table = at("flow-table");
  if (table) startFlows(table);

  function startFlows(flowTable) {
    const body = flowTable.tBodies[0];
    const labels = [...flowTable.tHead.rows[0].cells].map((cell) => cell.textContent);
    const page = Number(flowTable.dataset.page);
    const [select, input, more] = [at("filter-sign"), at("filter-text"), at("flow-more")];
    let found = data.flows;
    let shown = 0;

    for (const index of new Set(data.flows.map((flow) => flow[0]))) {
      select.add(new Option(`${data.signs[index].glyph} ${data.signs[index].word}`, index));
    }
    const showMore = () => {
      const next = found.slice(shown, shown + page);
      body.append(...next.map((flow) => makeRow(flow, labels)));
      shown += next.length;
      more.hidden = shown >= found.length;
      const count = shown.toLocaleString("en");
      at("flow-count").textContent = `${count} of ${found.length.toLocaleString("en")} flows, worst first.`;
    };
    const filter = () => {
      const wanted = input.value.toLowerCase();
      const hit = data.strings.map((text) => text.toLowerCase().includes(wanted));
      found = data.flows.filter(
        (flow) => (select.value === "" || flow[0] === Number(select.value)) && flow.slice(3).some((index) => hit[index]),
      );
      body.replaceChildren();
      shown = 0;
      showMore();
    };
    select.addEventListener("change", filter);
    input.addEventListener("input", filter);
    more.addEventListener("click", showMore);
    at("filter").addEventListener("reset", () => setTimeout(filter));
    at("filter").addEventListener("submit", (event) => event.preventDefault());
    more.hidden = data.flows.length <= page;
    shown = Math.min(page, data.flows.length);
  }

  // Pod matrix ----------------------------------------------------------------------------------------------------

  const unpack = (packed) =>
    packed.replace(/(\d+)(\D)/g, (_, length, code) => code.repeat(Number(length)));

  if (size) startMatrix();

  function startMatrix() {
    const planes = new Map();
    const select = at("plane");
    let cells = "";
    let cursor = 0;
    const [grid, canvas] = [at("pod-table"), at("pod-canvas")];
    const view = grid ? tableView(grid) : canvasView(canvas);

    data.planes.forEach((plane, index) => select.add(new Option(plane.label, index)));
    const usePlane = () => {
      const index = select.value;
      if (!planes.has(index)) planes.set(index, unpack(data.planes[index].cells));
      cells = planes.get(index);
      view.draw(cells);
      tell();
    };
    const tell = () => {
      const [from, to] = [data.axis[Math.floor(cursor / size)], data.axis[cursor % size]];
      at("cell-line").textContent = `${from} to ${to}, ${select.selectedOptions[0].label}: ${signOf[cells[cursor]].word}`;
    };
    const move = (next) => {
      cursor = next;
      view.point(cursor);
      tell();
    };
    view.element.addEventListener("keydown", (event) => {
      const next = moved(event.key, cursor);
      if (next !== null) move(next);
      else if (event.key === "Enter" || event.key === " ") showCell(cursor);
      else return;
      event.preventDefault();
    });
    view.element.addEventListener("click", (event) => {
      const hit = view.hit(event);
      if (hit === null) return;
      move(hit);
      showCell(hit);
    });
    select.addEventListener("change", usePlane);
    usePlane();
    at("cell-line").textContent = "";
  }

  // The cell that a key leads to, or null where the key is not ours.
  function moved(key, cursor) {
    const [row, column] = [Math.floor(cursor / size), cursor % size];
    const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    const ends = { Home: [row, 0], End: [row, size - 1], PageUp: [0, column], PageDown: [size - 1, column] };
    if (key in ends) return ends[key][0] * size + ends[key][1];
    if (!(key in steps)) return null;
    const clamp = (value) => Math.min(Math.max(value, 0), size - 1);
    return clamp(row + steps[key][0]) * size + clamp(column + steps[key][1]);
  }

  function showCell(cell) {
    const [source, destination] = [Math.floor(cell / size), cell % size];
    const own = data.flows.filter((flow) => flow[1] === source && flow[2] === destination);
    const place = at("cell-flows");
    const head = document.createElement("h3");
    head.textContent = `Flows of this cell: ${own.length}`;
    const cards = document.createElement("table");
    cards.className = "flows cards";
    const labels = [...at("flow-table")?.tHead.rows[0].cells ?? []].map((heading) => heading.textContent);
    cards.createTBody().append(...own.slice(0, SHOWN_IN_CELL).map((flow) => makeRow(flow, labels)));
    place.replaceChildren(head, cards);
    if (own.length > SHOWN_IN_CELL) place.append(`and ${own.length - SHOWN_IN_CELL} more; the list of flows has them.`);
    if (!own.length) cards.replaceWith("No flow between them was planned, or it is not among the flows of this page.");
  }

  // A small matrix: the table that is there already becomes a grid with one stop for the Tab key.
  function tableView(grid) {
    const tds = [...grid.tBodies[0].querySelectorAll("td")];
    const places = new Map(tds.map((td, index) => [td, index]));
    let stop = tds[0];
    grid.setAttribute("role", "grid");
    stop.tabIndex = 0;
    for (const td of tds) if (td !== stop) td.tabIndex = -1;
    const focus = (td) => {
      stop.tabIndex = -1;
      stop = td;
      stop.tabIndex = 0;
      stop.focus();
    };
    return {
      element: grid,
      draw: (cells) => tds.forEach((td, index) => {
        const sign = signOf[cells[index]];
        td.className = sign.key;
        td.firstChild.textContent = sign.glyph;
        td.lastChild.textContent = sign.word;
      }),
      point: (cell) => focus(tds[cell]),
      hit: (event) => places.get(event.target.closest("td")) ?? null,
    };
  }

  // A large matrix: one pixel for each cell, scaled up, with a glyph in cells that are large enough to hold one.
  function canvasView(canvas) {
    const edge = Math.max(size > 500 ? 2 : 5, Math.min(16, Math.floor(canvas.parentElement.clientWidth / size)));
    const scale = devicePixelRatio || 1;
    const layer = document.createElement("canvas");
    let cells = "";
    let cursor = 0;
    canvas.width = canvas.height = layer.width = layer.height = size * edge * scale;
    canvas.style.width = canvas.style.height = `${size * edge}px`;
    const pen = canvas.getContext("2d");

    // Every cell anew, for other results or another theme.
    const repaint = () => {
      const paint = paints();
      const brush = layer.getContext("2d");
      brush.setTransform(scale, 0, 0, scale, 0, 0);
      brush.imageSmoothingEnabled = false;
      brush.drawImage(pixels(paint.ground), 0, 0, size * edge, size * edge);
      if (edge >= SMALLEST_GLYPH) glyphs(brush, paint.ink);
      brush.fillStyle = paint.line;
      for (const start of data.groups) {
        brush.fillRect(start * edge - 0.5, 0, 1, size * edge);
        brush.fillRect(0, start * edge - 0.5, size * edge, 1);
      }
      draw();
    };
    const pixels = (ground) => {
      const small = document.createElement("canvas");
      small.width = small.height = size;
      const image = small.getContext("2d").createImageData(size, size);
      for (let cell = 0; cell < cells.length; cell += 1) image.data.set(ground[cells[cell]], cell * 4);
      small.getContext("2d").putImageData(image, 0, 0);
      return small;
    };
    const glyphs = (brush, ink) => {
      brush.font = `bold ${edge - 2}px sans-serif`;
      brush.textAlign = "center";
      brush.textBaseline = "middle";
      for (let cell = 0; cell < cells.length; cell += 1) {
        brush.fillStyle = ink[cells[cell]];
        brush.fillText(signOf[cells[cell]].glyph, (cell % size + 0.5) * edge, (Math.floor(cell / size) + 0.55) * edge);
      }
    };
    // The same cells with the cursor elsewhere.
    const draw = () => {
      pen.setTransform(1, 0, 0, 1, 0, 0);
      pen.drawImage(layer, 0, 0);
      pen.setTransform(scale, 0, 0, scale, 0, 0);
      pen.strokeStyle = paints().focus;
      pen.lineWidth = 3;
      pen.strokeRect(cursor % size * edge - 1, Math.floor(cursor / size) * edge - 1, edge + 2, edge + 2);
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
    return {
      element: canvas,
      draw: (next) => {
        cells = next;
        repaint();
      },
      point: (cell) => {
        cursor = cell;
        draw();
      },
      hit: (event) => {
        const column = Math.floor(event.offsetX / edge);
        const row = Math.floor(event.offsetY / edge);
        return Math.min(Math.max(column, row), size - 1) < Math.max(column, row) ? null : row * size + column;
      },
    };
  }

  // Colours of the page's present theme: grounds as pixels, inks for the glyphs on them.
  function paints() {
    const style = getComputedStyle(document.documentElement);
    const named = (name) => style.getPropertyValue(`--${name}`).trim();
    const probe = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const pixel = (name) => {
      probe.fillStyle = named(name);
      probe.fillRect(0, 0, 1, 1);
      return probe.getImageData(0, 0, 1, 1).data;
    };
    const grounds = { L: "leak", B: "blockage", I: "doubt", T: "late-soft", S: "mixed", R: "reached", N: "surface", ".": "empty" };
    const inks = { L: "on-leak", B: "on-blockage", I: "on-doubt", T: "late", S: "expected", R: "expected", N: "expected", ".": "muted" };
    const each = (names, look) => Object.fromEntries(Object.entries(names).map(([code, name]) => [code, look(name)]));
    return { ground: each(grounds, pixel), ink: each(inks, named), line: named("muted"), focus: named("focus") };
  }
})();
