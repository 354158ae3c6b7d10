"use strict";

// Tables are sorted by the column whose heading is pressed.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const descending = heading.ariaSort !== "descending" && column > 0;
      const ascending = column === 0 && heading.ariaSort !== "ascending";
      const sign = descending ? -1 : ascending || column > 0 ? 1 : -1;
      const key = (row) => row.cells[column].dataset.sort;
      const compare = (a, b) =>
        column === 0 ? a.cells[0].textContent.localeCompare(b.cells[0].textContent) : Number(key(a)) - Number(key(b));
      const rows = [...table.tBodies[0].rows].sort((a, b) => sign * compare(a, b));
      table.tBodies[0].append(...rows);
      for (const other of headings) other.ariaSort = "none";
      heading.ariaSort = sign < 0 ? "descending" : "ascending";
    });
  });
}

// A number of the confusion matrix shows the images of its pair.
const status = document.getElementById("pair-filter");
const all = document.getElementById("all-pairs");
const cards = [...document.querySelectorAll("#pairs ~ .gallery > li")];
const show = (pair, text) => {
  for (const card of cards) card.hidden = pair !== null && card.dataset.pair !== pair;
  status.textContent = text;
  all.hidden = pair === null;
};
if (status) {
  for (const button of document.querySelectorAll("button[data-show]")) {
    button.addEventListener("click", () => {
      const shown = cards.filter((card) => card.dataset.pair === button.dataset.show).length;
      show(button.dataset.show, `${button.dataset.name}: ${shown} shown`);
      status.scrollIntoView({ block: "center" });
      all.focus({ preventScroll: true });
    });
  }
  all.addEventListener("click", () => show(null, status.dataset.all));
}
