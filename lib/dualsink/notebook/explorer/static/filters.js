// Levels and services with their counts; a click chooses or lets go.
function filters(el, change) {
  el.classList.add("ds-facets");

  function choice(facet, chosen, { value, count, colour }) {
    const label = make("label", count ? "" : "ds-none");
    label.dataset.value = value;
    const box = make("input");
    box.type = "checkbox";
    box.checked = chosen.includes(value);
    box.addEventListener("change", () => {
      const rest = chosen.filter((each) => each !== value);
      change(facet, box.checked ? [...rest, value] : rest);
    });
    label.append(box);
    if (colour) label.append(dot(value, colour));
    const name = make("span", "ds-name", visible(value));
    name.title = visible(value);
    label.append(name, make("span", "ds-count", count.toLocaleString("en")));
    return label;
  }

  return {
    show(counts, state) {
      const focused = el.contains(document.activeElement) && document.activeElement.closest("label")?.dataset.value;
      const named = [["level", "Level"], ["service", "Service"]].filter(([facet]) => counts[facet]?.length);
      const groups = named.map(([facet, title]) => {
        const group = make("fieldset");
        group.append(make("legend", "", title));
        group.append(...counts[facet].map((each) => choice(facet, state[facet], each)));
        if (state[facet].length) group.append(button(`all ${title.toLowerCase()}s`, `all ${title.toLowerCase()}s`, () => change(facet, []), "ds-clear"));
        return group;
      });
      el.replaceChildren(...groups);
      if (focused) [...el.querySelectorAll("label")].find((label) => label.dataset.value === focused)?.querySelector("input").focus();
    },
  };
}

function dot(level, colour) {
  const element = make("span", "ds-dot");
  element.dataset.level = level;
  element.style.setProperty("--level", colour);
  return element;
}
