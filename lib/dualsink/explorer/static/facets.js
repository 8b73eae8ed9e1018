// Levels and services with their counts; a click chooses or lets go. Text from events is set as text, never as markup.
function render({ model, el }) {
  el.classList.add("ds-facets");

  function choice(facet, value, count, colour) {
    const chosen = model.get(facet);
    const label = document.createElement("label");
    label.dataset.value = value;
    if (!count) label.className = "ds-none";
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = chosen.includes(value);
    box.addEventListener("change", () => {
      const rest = model.get(facet).filter((each) => each !== value);
      model.set(facet, box.checked ? [...rest, value] : rest);
      model.save_changes();
    });
    label.append(box);
    if (colour) {
      const dot = document.createElement("span");
      dot.className = "ds-dot";
      dot.style.background = colour;
      label.append(dot);
    }
    for (const [kind, text] of [["ds-name", value], ["ds-count", count.toLocaleString("en")]]) {
      const part = document.createElement("span");
      part.className = kind;
      part.textContent = text;
      part.title = text;
      label.append(part);
    }
    return label;
  }

  function draw() {
    const parts = [];
    for (const [facet, title] of [["levels", "Level"], ["services", "Service"]]) {
      const heading = document.createElement("h3");
      heading.textContent = title;
      parts.push(heading);
      for (const { value, count, colour } of model.get("counts")[facet] || []) {
        parts.push(choice(facet, value, count, colour));
      }
      if (model.get(facet).length) {
        const clear = document.createElement("button");
        clear.className = "ds-clear";
        clear.textContent = `all ${title.toLowerCase()}s`;
        clear.addEventListener("click", () => {
          model.set(facet, []);
          model.save_changes();
        });
        parts.push(clear);
      }
    }
    el.replaceChildren(...parts);
  }

  for (const name of ["counts", "levels", "services"]) model.on(`change:${name}`, draw);
  draw();
}
export default { render };
