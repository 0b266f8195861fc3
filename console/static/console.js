// The console works without this. It keeps parts of a page up to date, and shows the names of accounts.
"use strict";

// A part with data-live gets its new content from the server (server-sent events), as the page itself does.
for (const part of document.querySelectorAll("[data-live]")) {
  const source = new EventSource(part.dataset.live);
  const note = document.querySelector(".live-note");
  source.onopen = () => { if (note) note.hidden = false; };
  source.onmessage = (event) => {
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = event.data;
    if (focused) document.getElementById(focused)?.focus();
  };
  source.onerror = () => { if (note) note.hidden = true; };
  source.addEventListener("end", () => source.close());
}

// The names of the accounts that a field lists, from the page that data-load names.
for (const part of document.querySelectorAll("[data-load]")) {
  const field = document.getElementById(part.dataset.for);
  fetch(part.dataset.load).then((answer) => (answer.ok ? answer.text() : Promise.reject())).then((text) => {
    const names = new Map();
    for (const row of new DOMParser().parseFromString(text, "text/html").querySelectorAll("#part tbody tr")) {
      names.set(row.cells[0].textContent, row.cells[1].textContent);
    }
    const list = document.createElement("ul");
    list.className = "names";
    const show = () => {
      const items = field.value.split(/[,;\s]+/).filter((number) => names.has(number));
      list.replaceChildren(...items.map((number) => {
        const item = document.createElement("li");
        item.textContent = `${number} ${names.get(number)}`;
        return item;
      }));
    };
    part.querySelector(".names")?.remove();
    part.prepend(list);
    field.addEventListener("input", show);
    show();
  }).catch(() => {});
}
