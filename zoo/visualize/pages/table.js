// Tables that sort by a column when its heading is clicked.
document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const up = head.getAttribute("aria-sort") === "descending";
        for (const other of heads) other.removeAttribute("aria-sort");
        head.setAttribute("aria-sort", up ? "ascending" : "descending");
        const value = (row) => {
          const text = row.cells[column].dataset.value ?? row.cells[column].textContent;
          const number = Number.parseFloat(text);
          return Number.isNaN(number) ? text : number;
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].sort((a, b) => {
          const [x, y] = [value(a), value(b)];
          if (typeof x !== typeof y) return typeof x === "number" ? -1 : 1; // dashes go last
          const order = typeof x === "number" ? x - y : x.localeCompare(y);
          return typeof x === "number" && !up ? -order : typeof x === "number" ? order : up ? -order : order;
        });
        body.append(...rows);
      });
    });
  }
});
