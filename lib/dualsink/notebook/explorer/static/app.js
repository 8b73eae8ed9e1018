// The page: a bar of controls, filters, a histogram and events. Its state is in the address, so that reload, back and a
// link show the same. `ask` takes a message and promises the answer; in JupyterLab a kernel gives it, else a server.
// It also takes a signal, by which a newer question ends the one before.
const EMPTY = { q: "", range: "24h", start: "", end: "", level: [], service: [], tier: "hot", event: "", trace: "", cols: [], tz: "utc" };
const RANGES = [["15m", "last 15 minutes"], ["1h", "last hour"], ["24h", "last 24 hours"], ["7d", "last 7 days"], ["30d", "last 30 days"], ["all", "all time"], ["custom", "between two times"]];
const PAGE = 100;
const TAIL = 5000;
const HINT = 'words, "a phrase", level:ERROR, service:cart* AND NOT message:timeout';

function fromAddress(text) {
  const given = new URLSearchParams(text);
  const state = { ...EMPTY };
  for (const [name, empty] of Object.entries(EMPTY)) {
    if (given.has(name)) state[name] = Array.isArray(empty) ? given.getAll(name) : given.get(name);
  }
  return state;
}

function toAddress(state) {
  const given = new URLSearchParams();
  for (const [name, empty] of Object.entries(EMPTY)) {
    for (const value of [state[name]].flat()) if (value !== empty) given.append(name, value);
  }
  return given.size ? `?${given}` : "";
}

function keyOf(event) {
  return `${event.moment}~${event.record}`;
}

function mount(el, ask, inAddress) {
  let state = { ...EMPTY, ...(inAddress ? fromAddress(location.search) : {}) };
  let [asked, pending, size, whole, answer, tail, shown] = [new AbortController(), 0, PAGE, false, null, null, null];
  el.classList.add("ds-explorer");

  // -- what is on the page ---------------------------------------------------------------------------

  const text = make("input");
  text.type = "search";
  text.placeholder = HINT;
  text.setAttribute("aria-label", "Search");
  text.spellcheck = false;
  const form = make("form", "ds-text");
  const go = make("button", "ds-go", "Search");
  form.setAttribute("role", "search");
  form.append(text, go);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    change({ q: text.value });
  });

  const range = options(make("select", "ds-range"), RANGES);
  range.setAttribute("aria-label", "Time range");
  range.addEventListener("change", () => {
    const now = range.value === "custom" && answer?.histogram.end ? answer.histogram : null;
    change({ range: range.value, start: now ? iso(now.start) : "", end: now ? iso(now.end) : "" });
  });
  const [start, end] = [["start", "From"], ["end", "To"]].map(([name, label]) => {
    const box = make("input");
    box.setAttribute("aria-label", label);
    box.placeholder = "2026-11-23 10:00:00";
    box.addEventListener("change", () => change({ [name]: typed(box.value, state.tz) }));
    return box;
  });
  const times = make("span", "ds-times");
  times.append(start, make("span", "", "to"), end);

  const tiers = make("div", "ds-tier");
  tiers.setAttribute("role", "group");
  tiers.setAttribute("aria-label", "Tier");
  for (const name of ["hot", "archive", "both"]) tiers.append(button(name, name, () => change({ tier: name }), "ds-choice"));
  const zone = button("UTC", "UTC", () => change({ tz: state.tz === "utc" ? "local" : "utc" }), "ds-choice ds-zone");
  const live = button("Live", "Live: search again every five seconds", () => follow(!tail), "ds-choice ds-live");
  const out = button("Zoom out", "Zoom out", zoomOut, "ds-choice ds-zoom-out");
  const status = make("span", "ds-status");
  status.setAttribute("role", "status");
  const more = make("details", "ds-export");
  more.append(make("summary", "", "Export"));
  const menu = make("div", "ds-menu");
  for (const [form_, label] of [["csv", "CSV of what is shown"], ["ndjson", "NDJSON of what is shown"]]) menu.append(button(label, label, () => save(form_)));
  for (const [kind, label] of [["dsl", "Query as DSL"], ["sql", "Query as SQL (DuckDB)"], ["curl", "Query as curl"]]) menu.append(button(label, label, () => question(kind)));
  more.append(menu);
  const bar = make("section", "ds-controls");
  bar.setAttribute("aria-label", "Time, tier and export");
  bar.append(range, times, tiers, zone, live, out, more, status);

  const side = make("details", "ds-side");
  side.append(make("summary", "", "Filters"));
  const facets = make("div");
  side.append(facets);
  side.open = window.matchMedia("(min-width: 800px)").matches;
  const [picture, told, head, list, foot] = ["", "ds-told", "ds-head", "", "ds-foot"].map((name) => make("div", name));
  told.setAttribute("aria-live", "polite");
  const main = make("main", "ds-main");
  main.append(picture, told, head, list, foot);
  const body = make("div", "ds-body");
  const beside = make("aside");
  beside.setAttribute("aria-label", "Filters");
  beside.append(side);
  body.append(beside, main);
  el.append(form, bar, body);

  const bars = chart(picture, (from, to) => change({ range: "custom", start: iso(from), end: iso(to) }));
  const choices = filters(facets, (facet, values) => change({ [facet]: values }));
  const rows = table(list, {
    filter: narrow,
    column: (name) => change({ cols: state.cols.includes(name) ? state.cols.filter((each) => each !== name) : [...state.cols, name] }),
    trace: (event) => change({ trace: `${event.moment}~${event.trace_id}` }),
    around,
    opened: (key) => remember({ event: key }, true),
    link: inAddress && ((event) => `${location.origin}${location.pathname}${toAddress({ ...state, event: keyOf(event) })}`),
  });

  // -- the state -------------------------------------------------------------------------------------

  const iso = (time) => new Date(time).toISOString().slice(0, 23).replace("T", " ");

  function remember(changes, replace = false) {
    state = { ...state, ...changes };
    if (!inAddress) return;
    const address = `${location.pathname}${toAddress(state)}`;
    if (address !== `${location.pathname}${location.search}`) history[replace ? "replaceState" : "pushState"](null, "", address);
  }

  function change(changes) {
    const same = Object.keys(changes).every((name) => ["cols", "tz"].includes(name));
    const leaves = Object.keys(changes).some((name) => !["cols", "tz", "trace"].includes(name));
    if (leaves) [size, whole] = [PAGE, false];
    remember({ ...(leaves ? { trace: "", event: "" } : {}), ...changes });
    if (same && shown) redraw();
    else if (state.trace) trace();
    else search();
    controls();
  }

  function narrow(part, without) {
    const either = /\bOR\b|\|\|/.test(state.q);
    const before = either ? `(${state.q})` : state.q.trim();
    // Words side by side are joined by AND anyway; beside them the operator itself would need brackets.
    const glue = /\s/.test(before) && !/\bAND\b|&&/.test(before) ? " " : " AND ";
    change({ q: [before, `${without ? "NOT " : ""}${part}`].filter(Boolean).join(glue).replace(/^\* AND /, "") });
  }

  function zoomOut() {
    if (!answer?.histogram.end) return;
    const { start, end } = answer.histogram;
    const half = (end - start) / 2;
    change({ range: "custom", start: iso(start - half), end: iso(end + half) });
  }

  function controls() {
    text.value = state.q;
    range.value = state.range;
    const inZone = (given) => {
      const text = given.trim().replace(" ", "T");
      const time = Date.parse(text.length > 10 && !/([zZ]|[+-]\d\d:?\d\d)$/.test(text) ? `${text}Z` : text);
      return state.tz === "local" && !Number.isNaN(time) ? clock(time, "local") : given;
    };
    [start.value, end.value] = [inZone(state.start), inZone(state.end)];
    times.hidden = state.range !== "custom";
    out.hidden = state.range !== "custom";
    live.disabled = state.range === "custom" && Boolean(state.end);
    if (live.disabled && tail) {
      clearInterval(tail);
      tail = null;
    }
    for (const each of tiers.children) each.setAttribute("aria-pressed", String(each.textContent === state.tier));
    zone.textContent = state.tz === "utc" ? "UTC" : "local time";
    zone.title = "Show times in UTC or in local time";
    live.setAttribute("aria-pressed", String(Boolean(tail)));
  }

  // -- questions and answers -------------------------------------------------------------------------

  const asState = () => {
    const { q, range, start, end, level, service, tier } = state;
    return { q, range, start, end, level, service, tier, size, whole };
  };

  // The answer to a message, null if another has been asked meanwhile.
  async function current(message, says) {
    asked.abort();
    const { signal } = (asked = new AbortController());
    status.textContent = says;
    pending += 1;
    try {
      const reply = await ask({ ...message, state: asState() }, signal);
      if (signal.aborted) return null;
      for (const event of reply.events || []) event.attributes = exactly(event.attributes);
      status.textContent = `${reply.seconds.toFixed(2)} s`;
      return reply;
    } catch (error) {
      if (signal.aborted) return null;
      status.textContent = "";
      return { troubles: [`The explorer does not answer: ${error.message}. Is it still running?`], events: [] };
    } finally {
      pending -= 1;
    }
  }

  async function search() {
    const reply = await current({ ask: "search" }, "Searching …");
    if (!reply) return;
    const none = { total: 0, events: [], counts: {}, histogram: { counts: [] }, words: [], stores: {} };
    answer = { ...none, ...reply, kind: "results" };
    const stores = Object.entries(answer.stores).map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`);
    if (stores.length) status.textContent += ` (${stores.join(", ")})`;
    if (answer.environment && inAddress) document.title = `${state.q || "Log explorer"} – ${answer.environment}`;
    show();
    if (state.event && !answer.events.some((event) => keyOf(event) === state.event)) linked();
    else if (!answer.total && !answer.troubles.length && !answer.since) suggest();
  }

  // The event of a link that is not among those shown.
  async function linked() {
    const [moment, record] = state.event.split("~");
    const reply = await current({ ask: "event", moment, record }, "Looking for the event of the link …");
    if (!reply) return;
    answer.events = [...(reply.events || []), ...answer.events];
    if (!reply.events?.length) answer.troubles = [...answer.troubles, "The event of the link is not in this tier."];
    show();
  }

  async function suggest() {
    const here = answer;
    const reply = await current({ ask: "hints" }, "Looking nearby …");
    if (!reply || here !== answer) return;
    answer.hints = reply.hints || [];
    show();
  }

  async function trace() {
    const [around, ...rest] = state.trace.split("~");
    const id = rest.join("~");
    const reply = await current({ ask: "trace", trace: id, around }, "Looking for the trace …");
    if (!reply) return;
    const events = reply.events || [];
    const note = `${many(events.length, "event")} in ${many(reply.services || 0, "service")}, ${reply.span || ""}`;
    view({ kind: "trace", title: `Trace ${visible(id)}`, note, events, troubles: reply.troubles, none: "This tier holds no event of the trace." });
  }

  async function around(event) {
    const { moment, service, host } = event;
    const reply = await current({ ask: "around", moment, service, host }, "Looking around …");
    if (!reply) return;
    const title = `Around ${visible(service)}${host ? ` on ${visible(host)}` : ""}`;
    view({ kind: "around", title, note: "newest first", events: reply.events || [], troubles: reply.troubles, open: keyOf(event), none: "Nothing surrounds it." });
  }

  async function save(kind) {
    more.open = false;
    const reply = await current({ ask: "export", form: kind }, "Exporting …");
    if (reply?.text !== undefined) download(`events.${kind}`, reply.text);
    else if (reply) troubles(reply.troubles);
  }

  async function question(kind) {
    more.open = false;
    const reply = await current({ ask: "questions" }, "Writing the query …");
    if (!reply) return;
    told.replaceChildren();
    if (!reply.questions) return troubles(reply.troubles);
    const box = make("div", "ds-question");
    const code = make("pre", "", visible(reply.questions[kind]));
    code.tabIndex = 0;
    box.append(button("Copy", "Copy the query", (click) => copy(reply.questions[kind], click.target)), button("Close", "Close", () => box.remove()), code);
    told.append(box);
  }

  // -- showing ---------------------------------------------------------------------------------------

  function troubles(texts) {
    for (const each of texts || []) {
      const box = make("div", "ds-trouble", visible(each));
      box.setAttribute("role", "alert");
      told.append(box);
    }
  }

  // The archive was not read to its end: a person decides whether to wait for the rest.
  function partial(since) {
    const box = make("div", "ds-trouble", `The archive was read back to ${clock(Date.parse(since), state.tz)}: what is older is not counted. `);
    box.append(button("Read all of it", "Read all of the archive", () => { whole = true; search(); }));
    told.append(box);
  }

  // What is shown, with other columns or another zone.
  function redraw() {
    if (answer) bars.show(answer.histogram, state.tz);
    view(shown);
  }

  function show() {
    controls();
    bars.show(answer.histogram, state.tz);
    choices.show(answer.counts, state);
    const count = answer.events.length;
    const failed = answer.troubles.length && !answer.total;
    const note = count < answer.total ? `the newest ${count.toLocaleString("en")}` : "newest first";
    const none = answer.hints?.length ? "Nothing found. There are" : "Nothing found: try a longer time, fewer words or filters, or the other tier.";
    const title = `${answer.since ? "At least " : ""}${many(answer.total, "event")}`;
    view({ ...answer, title: failed ? "No answer" : title, note: count ? note : "", none: failed ? "" : none });
  }

  function view(given) {
    shown = given;
    told.replaceChildren();
    troubles(shown.troubles);
    if (shown.since) partial(shown.since);
    head.replaceChildren();
    if (shown.kind !== "results") {
      head.append(button("← back to the results", "Back to the results", back));
    }
    head.append(make("strong", "", shown.title), make("span", "ds-quiet", shown.note));
    const words = wordsExpression(answer?.words || []);
    const empty = make("div", "ds-empty", shown.none);
    for (const hint of shown.hints || []) empty.append(button(`${many(hint.total, "event")} ${hint.says}`, `${many(hint.total, "event")} ${hint.says}`, () => change(hint.state)));
    rows.show({ kind: shown.kind, events: shown.events, words, zone: state.tz, columns: state.cols, open: shown.open || state.event, empty: shown.none === "" ? [] : [empty] });
    foot.replaceChildren();
    if (shown.kind === "results" && shown.more) foot.append(button("Show more", "Show more events", () => { size += PAGE; search(); }));
  }

  function back() {
    if (state.trace) remember({ trace: "" });
    if (answer) show();
    else search();
  }

  function follow(wanted) {
    clearInterval(tail);
    tail = wanted ? setInterval(() => pending || document.hidden || shown?.kind !== "results" || list.contains(document.activeElement) || search(), TAIL) : null;
    controls();
  }

  // -- keys ------------------------------------------------------------------------------------------

  function keys(event) {
    const typing = ["INPUT", "SELECT", "TEXTAREA"].includes(document.activeElement?.tagName);
    if (event.key === "/" && !typing) {
      event.preventDefault();
      text.focus();
    } else if (event.key === "Escape" && more.open) {
      more.open = false;
      more.querySelector("summary").focus();
    } else if (["ArrowDown", "ArrowUp"].includes(event.key) && document.activeElement?.classList.contains("ds-time")) {
      event.preventDefault();
      const all = [...list.querySelectorAll("button.ds-time")];
      all[all.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  }
  el.addEventListener("keydown", keys);
  const anywhere = (event) => event.target === document.body && keys(event);
  const travelled = () => {
    state = { ...EMPTY, ...fromAddress(location.search) };
    controls();
    if (state.trace) trace();
    else search();
  };
  if (inAddress) {
    document.addEventListener("keydown", anywhere);
    window.addEventListener("popstate", travelled);
    text.autofocus = true;
  }
  controls();
  if (state.trace) search().then(() => state.trace && trace());
  else search();
  return () => {
    asked.abort();
    bars.close();
    clearInterval(tail);
    document.removeEventListener("keydown", anywhere);
    window.removeEventListener("popstate", travelled);
  };
}

// In JupyterLab: messages to the kernel and back, each answer with the number of its question.
function render({ model, el }) {
  const waiting = new Map();
  let number = 0;
  model.on("msg:custom", ({ to, reply }) => {
    waiting.get(to)?.(reply);
    waiting.delete(to);
  });
  const ask = (message, signal) => new Promise((resolve) => {
    const own = ++number;
    waiting.set(own, resolve);
    model.send({ number: own, message });
    signal.addEventListener("abort", () => waiting.has(own) && model.send({ number: own }));
  });
  return mount(el, ask, false);
}

// As a page of its own: messages to the server that sent it.
// The key came once behind the address' #; this browser keeps it, so that links need none.
function keyOfPage() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (given) {
    localStorage.setItem("dualsink-key", given);
    history.replaceState(history.state, "", location.pathname + location.search);
  }
  return given || localStorage.getItem("dualsink-key") || "";
}

async function post(message, signal) {
  const headers = { "Content-Type": "application/json", "X-Dualsink-Key": keyOfPage() };
  const reply = await fetch("ask", { method: "POST", headers, body: JSON.stringify(message), signal });
  if (reply.status === 401) throw new Error("it needs its key, so open the address that the command has printed");
  if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
  return reply.json();
}

const place = document.querySelector("[data-explorer]");
if (place) {
  keyOfPage();
  mount(place, post, true);
}

export default { render };
