// Elements, times and texts. Text from events is set as text, never as markup: a log line is input from strangers.
function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined && text !== null) element.textContent = text;
  return element;
}

function button(text, label, act, className = "ds-act") {
  const element = make("button", className, text);
  element.type = "button";
  if (label !== text) {
    element.setAttribute("aria-label", label);
    element.title = label;
  }
  element.addEventListener("click", (event) => {
    event.stopPropagation();
    act(event);
  });
  return element;
}

function options(select, pairs) {
  for (const [value, text] of pairs) {
    const option = make("option", "", text);
    option.value = value;
    select.append(option);
  }
  return select;
}

function many(count, noun) {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}

// Signs that would not be seen, or that turn the text around them: escapes of terminals, marks of direction.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/gu;

function visible(text) {
  return String(text).replace(UNSEEN, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// One expression for the words of a search, as whole words; null without any.
function wordsExpression(words) {
  const escaped = words.map((word) =>
    word.split(/[^\p{L}\p{N}_*?]+/u).filter(Boolean)
      .map((part) => part.replaceAll("*", "[\\p{L}\\p{N}_]*").replaceAll("?", "[\\p{L}\\p{N}_]")).join("[^\\p{L}\\p{N}_]+"));
  const parts = escaped.filter(Boolean);
  return parts.length ? new RegExp(`(?<![\\p{L}\\p{N}_])(?:${parts.join("|")})(?![\\p{L}\\p{N}_])`, "giu") : null;
}

function highlighted(element, text, expression) {
  const shown = visible(text);
  element.replaceChildren();
  let last = 0;
  for (const found of expression ? shown.matchAll(expression) : []) {
    element.append(shown.slice(last, found.index), make("mark", "", found[0]));
    last = found.index + found[0].length;
  }
  element.append(shown.slice(last));
  return element;
}

// Milliseconds to add to UTC for what the clock on the wall shows; 0 in UTC.
function offset(time, zone) {
  return zone === "local" ? -new Date(time).getTimezoneOffset() * 60000 : 0;
}

function clock(time, zone) {
  return new Date(time + offset(time, zone)).toISOString().slice(0, 23).replace("T", " ");
}

// What a person typed as an instant in the zone that is shown, in UTC; as it is where it cannot be read.
function typed(text, zone) {
  if (!text.trim() || zone !== "local") return text.trim();
  const read = new Date(text.trim().replace(" ", "T"));
  return Number.isNaN(read.getTime()) ? text.trim() : read.toISOString().slice(0, 23).replace("T", " ");
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function copy(text, control) {
  const before = control.textContent;
  try {
    await navigator.clipboard.writeText(text);
    control.textContent = "copied";
  } catch {
    control.textContent = "not allowed";
  }
  setTimeout(() => (control.textContent = before), 1500);
}
