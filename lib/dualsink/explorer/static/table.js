// Events as rows that open, or one trace as a timeline. Text from events is set as text, never as markup.
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

function button(text, label, act) {
  const element = make("button", "ds-act", text);
  element.setAttribute("aria-label", label);
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    act();
  });
  return element;
}

function badge(event) {
  const element = make("span", "ds-badge", event.level);
  element.style.background = event.colour;
  return element;
}

function detail(event, model, inTrace) {
  const box = make("div", "ds-detail");
  const list = make("dl");
  const pair = (name, value) => {
    if (value === null || value === undefined) return;
    list.append(make("dt", "", name), make("dd", "", typeof value === "object" ? JSON.stringify(value) : String(value)));
  };
  pair("message", event.message);
  for (const name of ["host", "trace_id", "span_id", "log_id"]) pair(name, event[name]);
  for (const [name, value] of Object.entries(event.attributes || {})) pair(`attributes.${name}`, value);
  pair("record", event.record);
  pair("from", event.tier);
  box.append(list);
  if (event.trace_id && !inTrace) {
    const line = make("div");
    line.style.marginTop = "8px";
    line.append(button("Show the whole trace", "Show the whole trace", () => model.send({ trace: event.trace_id, around: event.moment })));
    box.append(line);
  }
  if (event.stack_trace) box.append(make("pre", "ds-stack", event.stack_trace));
  return box;
}

function row(event, model, inTrace) {
  const line = make("div", "ds-row");
  line.tabIndex = 0;
  line.setAttribute("role", "button");
  line.setAttribute("aria-expanded", "false");
  line.append(make("span", "ds-time", event.time), badge(event), make("span", "ds-cell", event.service));
  if (inTrace) {
    const bar = make("div", "ds-bar");
    const dot = make("i");
    dot.style.left = `${event.place}%`;
    dot.style.background = event.colour;
    bar.title = `${event.after} after the first`;
    bar.append(dot);
    line.append(bar);
  }
  line.append(make("span", "ds-cell", event.message));
  if (!inTrace) {
    const act = make("span");
    if (event.trace_id) act.append(button("trace", `Show trace ${event.trace_id}`, () => model.send({ trace: event.trace_id, around: event.moment })));
    line.append(act);
  }
  const toggle = () => {
    const open = line.classList.toggle("ds-open");
    line.setAttribute("aria-expanded", String(open));
    if (open) line.after(detail(event, model, inTrace));
    else line.nextSibling.remove();
  };
  line.addEventListener("click", toggle);
  line.addEventListener("keydown", (key) => {
    if (key.target === line && (key.key === "Enter" || key.key === " ")) {
      key.preventDefault();
      toggle();
    }
  });
  return line;
}

function render({ model, el }) {
  function draw() {
    const view = model.get("view");
    el.className = `ds-table ${view.trace ? "ds-trace" : "ds-results"}`;
    const parts = (view.troubles || []).map((text) => {
      const box = make("div", "ds-trouble", text);
      box.setAttribute("role", "alert");
      return box;
    });
    const head = make("div", "ds-head");
    if (view.trace) head.append(button("← back to the results", "Back to the results", () => model.send({ back: true })));
    head.append(make("strong", "", view.title), make("span", "ds-quiet", view.note));
    parts.push(head);
    const events = view.events || [];
    if (events.length) {
      const columns = make("div", "ds-row ds-columns");
      const names = view.trace
        ? ["time (UTC)", "level", "service", "when in the trace", "message"]
        : ["time (UTC)", "level", "service", "message", ""];
      for (const name of names) columns.append(make("span", "", name));
      parts.push(columns, ...events.map((event) => row(event, model, view.trace)));
    } else if (view.title) {
      parts.push(make("div", "ds-empty", view.empty));
    }
    if (view.more) {
      const foot = make("div", "ds-empty");
      foot.append(button("Show more", "Show more events", () => model.send({ more: true })));
      parts.push(foot);
    }
    el.replaceChildren(...parts);
  }
  model.on("change:view", draw);
  draw();
}
export default { render };
