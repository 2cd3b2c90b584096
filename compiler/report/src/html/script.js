"use strict";
// Light or dark: as the system says, until the button is pressed.
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

// A column's button sorts its table: numbers falling first, names rising first.
function key(row, column) {
  const cell = row.cells[column];
  return cell.dataset.v === undefined ? cell.textContent.trim() : Number(cell.dataset.v);
}
function sort(table, column) {
  const heads = table.tHead.rows[0].cells;
  const numeric = heads[column].classList.contains("n");
  const before = heads[column].getAttribute("aria-sort");
  const rising = before === null ? !numeric : before === "descending";
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", rising ? "ascending" : "descending");
  const rows = Array.from(table.tBodies[0].rows).map((row) => [key(row, column), row]);
  const order = numeric ? (a, b) => a - b : (a, b) => String(a).localeCompare(String(b));
  rows.sort((a, b) => (rising ? order(a[0], b[0]) : order(b[0], a[0])));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("th").forEach((head, column) => {
    const button = head.querySelector("button");
    if (button) button.addEventListener("click", () => sort(table, column));
  });
}

// Filters of a table: every word has to be in the row.
for (const form of document.querySelectorAll("form.filter")) {
  const rows = Array.from(document.getElementById(form.dataset.table).tBodies[0].rows);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const apply = () => {
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const layer = form.elements.layer.value;
    const scheme = form.elements.scheme.value;
    const silent = form.elements.silent.checked || scheme !== "";
    let shown = 0;
    for (const row of rows) {
      const fits =
        (silent || row.dataset.silent === undefined) &&
        (layer === "" || row.dataset.layer === layer) &&
        (scheme === "" || row.dataset.scheme === scheme) &&
        words.every((word) => texts.get(row).includes(word));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    }
    form.querySelector("output").textContent = shown + " of " + rows.length;
  };
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
  apply();
}
