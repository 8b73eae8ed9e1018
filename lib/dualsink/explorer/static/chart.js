// Events over time as stacked bars. Dragging over a range sends it; times are UTC.
const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 52, right: 10, top: 8, bottom: 22 };
const HEIGHT = 190;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 604800, 2592000].map((s) => s * 1000);

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function moment(time, width) {
  const iso = new Date(time).toISOString();
  if (width >= 86400000) return iso.slice(5, 10);
  return width >= 60000 ? iso.slice(11, 16) : iso.slice(11, 19);
}

function roundUp(count) {
  const power = 10 ** Math.floor(Math.log10(Math.max(count, 1)));
  return [1, 2, 2.5, 5, 10].map((step) => step * power).find((step) => step >= count);
}

function short(count) {
  return count >= 1e6 ? `${+(count / 1e6).toPrecision(3)} M` : count >= 1e4 ? `${+(count / 1e3).toPrecision(3)} k` : count.toLocaleString("en");
}

function render({ model, el }) {
  el.classList.add("ds-chart");
  const svg = draw("svg", { height: HEIGHT, role: "img", "aria-label": "Events over time by level" });
  const tip = document.createElement("div");
  tip.className = "ds-tip";
  el.append(svg, tip);
  let from = null;

  const shown = () => model.get("shown");
  const width = () => Math.max(el.clientWidth, 200);
  const place = (time) => {
    const { start, end } = shown();
    return EDGE.left + ((time - start) / (end - start)) * (width() - EDGE.left - EDGE.right);
  };
  const timeAt = (x) => {
    const { start, end } = shown();
    const share = (x - EDGE.left) / (width() - EDGE.left - EDGE.right);
    return start + Math.min(Math.max(share, 0), 1) * (end - start);
  };

  function totals() {
    const bars = new Map();
    for (const [time, level, count] of shown().counts) {
      if (!bars.has(time)) bars.set(time, []);
      bars.get(time).push([level, count]);
    }
    return bars;
  }

  function axes(top) {
    const { start, end } = shown();
    const bottom = HEIGHT - EDGE.bottom;
    for (const share of [0, 0.5, 1]) {
      const y = bottom - share * (bottom - EDGE.top);
      svg.append(draw("line", { x1: EDGE.left, x2: width() - EDGE.right, y1: y, y2: y, class: "ds-grid" }));
      svg.append(draw("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, short(top * share)));
    }
    const step = STEPS.find((each) => (end - start) / each <= width() / 110) || STEPS.at(-1);
    for (let time = Math.ceil(start / step) * step; time <= end; time += step) {
      svg.append(draw("line", { x1: place(time), x2: place(time), y1: bottom, y2: bottom + 4, class: "ds-tick" }));
      svg.append(draw("text", { x: place(time), y: HEIGHT - 6, "text-anchor": "middle" }, moment(time, step)));
    }
  }

  function redraw() {
    svg.setAttribute("width", width());
    svg.replaceChildren();
    if (!shown().end) return;
    const { start, step, colours } = shown();
    const bars = totals();
    const top = roundUp(Math.max(...[...bars.values()].map((levels) => levels.reduce((sum, [, n]) => sum + n, 0)), 1));
    axes(top);
    const bottom = HEIGHT - EDGE.bottom;
    const scale = (bottom - EDGE.top) / top;
    for (const [time, levels] of bars) {
      const left = place(Math.max(time, start));
      const wide = Math.max(place(time + step) - left - 1, 1);
      let y = bottom;
      for (const [level, count] of levels.sort((a, b) => Object.keys(colours).indexOf(a[0]) - Object.keys(colours).indexOf(b[0]))) {
        y -= count * scale;
        svg.append(draw("rect", { x: left, y, width: wide, height: count * scale, fill: colours[level] || "#8c8c8c", class: "ds-piece" }));
      }
    }
    svg.append(draw("rect", { class: "ds-brush", y: EDGE.top, height: bottom - EDGE.top, width: 0, x: 0 }));
  }

  function hover(x) {
    const { step, counts } = shown();
    const time = Math.floor(timeAt(x) / step) * step;
    const here = counts.filter((each) => each[0] === time);
    tip.style.display = here.length && from === null ? "block" : "none";
    tip.style.left = `${Math.min(x + 12, width() - 150)}px`;
    const iso = new Date(time).toISOString().slice(0, 19).replace("T", " ");
    tip.textContent = [`${iso} UTC`, ...here.map(([, level, n]) => `${level}  ${n.toLocaleString("en")}`)].join("\n");
  }

  function at(event) {
    return event.clientX - svg.getBoundingClientRect().left;
  }

  svg.addEventListener("pointerdown", (event) => {
    if (!shown().end) return;
    from = at(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!shown().end) return;
    hover(at(event));
    if (from === null) return;
    const brush = svg.querySelector(".ds-brush");
    brush.setAttribute("x", Math.min(from, at(event)));
    brush.setAttribute("width", Math.abs(at(event) - from));
  });
  svg.addEventListener("pointerup", (event) => {
    const [first, last] = [from, at(event)].sort((a, b) => a - b);
    from = null;
    if (last - first > 6) model.send({ zoom: [Math.round(timeAt(first)), Math.round(timeAt(last))] });
    else redraw();
  });
  svg.addEventListener("pointerleave", () => (tip.style.display = "none"));
  model.on("change:shown", redraw);
  const watch = new ResizeObserver(redraw);
  watch.observe(el);
  redraw();
  return () => watch.disconnect();
}
export default { render };
