// Events as rows that open: results, one trace as a timeline, or what surrounds an event.
const PARTS = ["level", "service", "host", "trace_id", "span_id", "log_id"];

// Attributes of their JSON text. A number that JavaScript would round stays the text that it is.
function exactly(text) {
  const kept = (_, value, source) => (typeof value === "number" && source && String(value) !== source.source ? JSON.rawJSON(source.source) : value);
  return text ? JSON.parse(text, JSON.rawJSON ? kept : undefined) : null;
}

function isWhole(value) {
  return value === null || typeof value !== "object" || Boolean(JSON.isRawJSON?.(value));
}

// Leaves of the attributes, each with its name in a search.
function leaves(value, name) {
  if (!isWhole(value) && !Array.isArray(value)) {
    return Object.entries(value).flatMap(([key, each]) => leaves(each, name ? `${name}.${key}` : key));
  }
  return [[name, value]];
}

function fieldOf(event, name) {
  if (!name.startsWith("attributes.")) return event[name];
  return leaves(event.attributes || {}, "attributes").find(([each]) => each === name)?.[1];
}

function shownAs(value) {
  return value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

function term(name, value) {
  const field = name.replace(/[^\p{L}\p{N}_.]/gu, "\\$&");
  return `${field}:"${String(value).replace(/["\\]/g, "\\$&")}"`;
}

function table(el, acts) {
  el.classList.add("ds-table");

  function pair(list, event, name, value, view) {
    if (value === null || value === undefined || value === "") return;
    const text = shownAs(value);
    const [key, field] = [make("dt", "", visible(name)), make("dd")];
    field.append(highlighted(make("span", "ds-value"), text, view.words));
    const tools = make("span", "ds-tools");
    if (isWhole(value) && (PARTS.includes(name) || name.startsWith("attributes."))) {
      tools.append(button("+", `Only ${name} ${visible(text)}`, () => acts.filter(term(name, text), false), "ds-tool"));
      tools.append(button("−", `Without ${name} ${visible(text)}`, () => acts.filter(term(name, text), true), "ds-tool"));
    }
    if (name.startsWith("attributes.") || ["host", "trace_id"].includes(name)) {
      tools.append(button("▤", `Column ${name}`, () => acts.column(name), "ds-tool"));
    }
    field.append(tools);
    list.append(key, field);
  }

  function detail(event, view) {
    const box = make("div", "ds-detail");
    const bar = make("div", "ds-bar-of-acts");
    if (event.trace_id && view.kind !== "trace") bar.append(button("Show the whole trace", "Show the whole trace", () => acts.trace(event)));
    bar.append(button("What surrounds it", `What surrounds it in ${event.service}${event.host ? ` on ${event.host}` : ""}`, () => acts.around(event)));
    bar.append(button("Copy as JSON", "Copy as JSON", (click) => copy(whole(event), click.target)));
    if (acts.link) bar.append(button("Copy the link", "Copy the link", (click) => copy(acts.link(event), click.target)));
    const list = make("dl");
    pair(list, event, "message", event.message, view);
    for (const name of PARTS) pair(list, event, name, event[name], view);
    for (const [name, value] of leaves(event.attributes || {}, "attributes")) pair(list, event, name, value, view);
    pair(list, event, "record", `${event.topic}-${event.partition}-${event.offset}${event.position ? ` position ${event.position}` : ""}`, view);
    pair(list, event, "from", event.tier, view);
    box.append(bar, list);
    if (event.stack_trace) box.append(highlighted(make("pre", "ds-stack"), event.stack_trace, view.words));
    return box;
  }

  function whole(event) {
    const { colour, record, place, after, ...rest } = event;
    return JSON.stringify(rest, null, 2);
  }

  function row(event, view) {
    const item = make("div", "ds-item");
    item.setAttribute("role", "listitem");
    item.dataset.key = keyOf(event);
    const line = make("div", "ds-row");
    line.dataset.level = event.level;
    line.style.setProperty("--level", event.colour);
    const toggle = make("button", "ds-time", clock(Date.parse(event.moment), view.zone));
    toggle.type = "button";
    const level = make("span", "ds-level", event.level);
    level.prepend(dot(event.level, event.colour));
    line.append(toggle, level, cell(event.service, view));
    for (const name of view.columns) line.append(cell(shownAs(fieldOf(event, name)), view));
    if (view.kind === "trace") line.append(timeline(event));
    line.append(cell(event.message, view, "ds-message"));
    const act = make("span", "ds-more");
    if (view.kind !== "trace" && event.trace_id) act.append(button("trace", `Show trace ${visible(event.trace_id)}`, () => acts.trace(event)));
    if (view.kind !== "trace") line.append(act);
    item.append(line);
    const open = (wanted) => {
      line.classList.toggle("ds-open", wanted);
      toggle.setAttribute("aria-expanded", String(wanted));
      item.querySelector(".ds-detail")?.remove();
      if (wanted) item.append(detail(event, view));
    };
    open(item.dataset.key === view.open);
    line.addEventListener("click", () => {
      if (String(window.getSelection())) return; // A text is being selected, to be copied.
      const wanted = !line.classList.contains("ds-open");
      open(wanted);
      acts.opened(wanted ? item.dataset.key : "");
    });
    return item;
  }

  function cell(text, view, className = "ds-cell") {
    const element = highlighted(make("span", className), text ?? "", view.words);
    element.title = visible(text ?? "").slice(0, 1000);
    return element;
  }

  function timeline(event) {
    const bar = make("span", "ds-bar");
    const mark = dot(event.level, event.colour);
    mark.style.left = `${event.place}%`;
    bar.title = `${event.after} after the first`;
    bar.append(mark);
    return bar;
  }

  function head(view) {
    const line = make("div", "ds-row ds-columns");
    line.setAttribute("aria-hidden", "true");
    const zone = view.zone === "local" ? "local time" : "time (UTC)";
    line.append(make("span", "", zone), make("span", "", "level"), make("span", "", "service"));
    for (const name of view.columns) {
      const title = make("span", "ds-column");
      title.append(make("span", "ds-cell", visible(name)));
      title.title = visible(name);
      title.append(button("×", `Remove the column ${name}`, () => acts.column(name), "ds-tool"));
      line.append(title);
    }
    if (view.kind === "trace") line.append(make("span", "", "when in the trace"));
    line.append(make("span", "", "message"));
    if (view.columns.length) line.removeAttribute("aria-hidden");
    return line;
  }

  return {
    // `view`: kind, events, words (an expression), zone, columns, open (key of an event), empty (what is said of none).
    show(view) {
      el.className = `ds-table ds-${view.kind}`;
      const extra = view.columns.map(() => "minmax(80px, 140px)").join(" ");
      el.style.setProperty("--extra", extra || " ");
      const list = make("div", "ds-list");
      list.setAttribute("role", "list");
      list.setAttribute("aria-label", "Events");
      list.append(...view.events.map((event) => row(event, view)));
      el.replaceChildren(...(view.events.length ? [head(view), list] : view.empty));
    },
  };
}
