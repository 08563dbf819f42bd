"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, index) => title.querySelector("button").addEventListener("click", () => {
    const rising = title.getAttribute("aria-sort") === "descending" ||
      (!title.hasAttribute("aria-sort") && !title.classList.contains("number"));
    const numeric = title.classList.contains("number");
    const order = (row) => {
      const text = row.cells[index].dataset.order;
      return text === undefined ? null : numeric ? Number(text) : text;
    };
    const rows = [...table.tBodies[0].rows].map((row) => [order(row), row]);
    rows.sort(([a], [b]) => {
      if (a === null || b === null) return (a === null) - (b === null);
      return (numeric ? a - b : a.localeCompare(b)) * (rising ? 1 : -1);
    });
    table.tBodies[0].append(...rows.map(([, row]) => row));
    titles.forEach((other) => other.removeAttribute("aria-sort"));
    title.setAttribute("aria-sort", rising ? "ascending" : "descending");
  }));
}
