// Events over time as stacked bars. Dragging over a range asks for it.
const SVG = "http://www.w3.org/2000/svg";
const EDGE = { left: 52, right: 14, top: 8, bottom: 22 };
const HEIGHT = 150;
const STEPS = [1, 5, 15, 30, 60, 300, 900, 1800, 3600, 10800, 21600, 43200, 86400, 172800, 345600, 604800, 1209600, 2592000, 7776000, 31536000].map((s) => s * 1000);
const LABEL = 96;

function draw(tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  if (text !== undefined) element.textContent = text;
  return element;
}

function tickText(time, step, zone) {
  const text = clock(time, zone);
  if (step >= 31536000000) return text.slice(0, 7);
  if (step >= 86400000 || text.endsWith("00:00:00.000")) return text.slice(5, 10);
  return step >= 60000 ? text.slice(11, 16) : text.slice(11, 19);
}

function roundUp(count) {
  const power = 10 ** Math.floor(Math.log10(Math.max(count, 1)));
  return [1, 2, 4, 6, 8, 10].map((step) => step * power).find((step) => step >= count);
}

function short(count) {
  return count >= 1e6 ? `${+(count / 1e6).toPrecision(3)} M` : count >= 1e4 ? `${+(count / 1e3).toPrecision(3)} k` : count.toLocaleString("en");
}

function chart(el, zoom) {
  el.classList.add("ds-chart");
  const svg = draw("svg", { height: HEIGHT, role: "img", "aria-label": "Events over time by level" });
  const tip = make("div", "ds-tip");
  tip.setAttribute("aria-hidden", "true");
  el.append(svg, tip);
  let [shown, zone, from] = [{ counts: [] }, "utc", null];

  const width = () => Math.max(el.clientWidth, 200);
  const place = (time) => EDGE.left + ((time - shown.start) / (shown.end - shown.start)) * (width() - EDGE.left - EDGE.right);
  const timeAt = (x) => {
    const share = (x - EDGE.left) / (width() - EDGE.left - EDGE.right);
    return shown.start + Math.min(Math.max(share, 0), 1) * (shown.end - shown.start);
  };

  function axes(top) {
    const bottom = HEIGHT - EDGE.bottom;
    for (const share of top > 1 ? [0, 0.5, 1] : [0, 1]) {
      const y = bottom - share * (bottom - EDGE.top);
      svg.append(draw("line", { x1: EDGE.left, x2: width() - EDGE.right, y1: y, y2: y, class: "ds-grid" }));
      svg.append(draw("text", { x: EDGE.left - 6, y: y + 4, "text-anchor": "end" }, short(top * share)));
    }
    const room = (width() - EDGE.left - EDGE.right) / LABEL;
    const step = STEPS.find((each) => (shown.end - shown.start) / each <= room) || shown.end - shown.start;
    const shift = offset(shown.start, zone);
    for (let time = Math.ceil((shown.start + shift) / step) * step - shift; time <= shown.end; time += step) {
      svg.append(draw("line", { x1: place(time), x2: place(time), y1: bottom, y2: bottom + 4, class: "ds-tick" }));
      if (place(time) < EDGE.left + 8 || place(time) > width() - 32) continue; // Its label would leave the picture.
      svg.append(draw("text", { x: place(time), y: HEIGHT - 6, "text-anchor": "middle", class: "ds-label" }, tickText(time, step, zone)));
    }
  }

  function redraw() {
    svg.setAttribute("width", width());
    svg.replaceChildren();
    if (!shown.end) return;
    const order = Object.keys(shown.colours);
    const bars = Map.groupBy ? Map.groupBy(shown.counts, ([time]) => time) : grouped(shown.counts);
    const top = roundUp(Math.max(...[...bars.values()].map((levels) => levels.reduce((sum, [, , n]) => sum + n, 0)), 1));
    axes(top);
    const bottom = HEIGHT - EDGE.bottom;
    const scale = (bottom - EDGE.top) / top;
    for (const [time, levels] of bars) {
      const left = place(Math.max(time, shown.start));
      const wide = Math.max(place(Math.min(time + shown.step, shown.end)) - left - 1, 1);
      let y = bottom;
      for (const [, level, count] of levels.sort((a, b) => order.indexOf(a[1]) - order.indexOf(b[1]))) {
        y -= count * scale;
        const piece = draw("rect", { x: left, y, width: wide, height: count * scale, class: "ds-piece", "data-level": level });
        piece.style.setProperty("--level", shown.colours[level] || "#8c8c8c");
        svg.append(piece);
      }
    }
    svg.append(draw("rect", { class: "ds-brush", y: EDGE.top, height: bottom - EDGE.top, width: 0, x: 0 }));
  }

  function grouped(counts) {
    const bars = new Map();
    for (const each of counts) bars.set(each[0], [...(bars.get(each[0]) || []), each]);
    return bars;
  }

  function hover(x) {
    const time = Math.floor(timeAt(x) / shown.step) * shown.step;
    const here = shown.counts.filter((each) => each[0] === time);
    tip.style.display = here.length && from === null ? "block" : "none";
    tip.style.left = `${Math.min(x + 12, width() - 150)}px`;
    tip.textContent = [clock(time, zone).slice(0, 19), ...here.map(([, level, n]) => `${level}  ${n.toLocaleString("en")}`)].join("\n");
  }

  const at = (event) => event.clientX - svg.getBoundingClientRect().left;
  svg.addEventListener("pointerdown", (event) => {
    if (!shown.end) return;
    from = at(event);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!shown.end) return;
    hover(at(event));
    if (from === null) return;
    const brush = svg.querySelector(".ds-brush");
    brush.setAttribute("x", Math.min(from, at(event)));
    brush.setAttribute("width", Math.abs(at(event) - from));
  });
  svg.addEventListener("pointercancel", () => {
    from = null;
    redraw();
  });
  svg.addEventListener("pointerup", (event) => {
    if (from === null) return;
    const [first, last] = [from, at(event)].sort((a, b) => a - b);
    from = null;
    if (last - first > 6) zoom(Math.round(timeAt(first)), Math.round(timeAt(last)));
    else redraw();
  });
  svg.addEventListener("pointerleave", () => (tip.style.display = "none"));
  const watch = new ResizeObserver(redraw);
  watch.observe(el);
  return {
    show(histogram, inZone) {
      [shown, zone] = [histogram, inZone];
      const total = shown.counts.reduce((sum, [, , n]) => sum + n, 0);
      const span = shown.end ? `, ${clock(shown.start, zone).slice(0, 16)} to ${clock(shown.end, zone).slice(0, 16)}` : "";
      svg.setAttribute("aria-label", `Events over time by level: ${many(total, "event")}${span}`);
      redraw();
    },
    close: () => watch.disconnect(),
  };
}
