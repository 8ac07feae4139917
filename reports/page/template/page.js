"use strict";
const all = (query, root = document) => Array.from(root.querySelectorAll(query));

// Light or dark: the system's choice until the button is used.
const root = document.documentElement;
try { const kept = localStorage.getItem("theme"); if (kept) root.dataset.theme = kept; } catch {}
document.getElementById("theme").addEventListener("click", () => {
  const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
  try { localStorage.setItem("theme", root.dataset.theme); } catch {}
});

// Sorting: values that are missing stay last in both directions.
const compare = (a, b) => {
  const x = Number(a), y = Number(b);
  return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b) : x - y;
};
const value = (row, column) => {
  const text = row.cells[column].dataset.order;
  return text === undefined ? undefined : text.replace(/^(-?)inf$/, "$1Infinity");
};
for (const table of all("table.sortable")) {
  const heads = all("thead th", table), body = table.tBodies[0];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const up = head.getAttribute("aria-sort") !== "ascending";
    heads.forEach((other) => other.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = Array.from(body.rows), known = (row) => value(row, column) !== undefined;
    const sorted = rows.filter(known).sort((a, b) => compare(value(a, column), value(b, column)));
    if (!up) sorted.reverse();
    body.append(...sorted, ...rows.filter((row) => !known(row)));
  }));
}

// Links open what they lead to.
const reveal = (id) => {
  const found = document.getElementById(id);
  for (let at = found; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  const inner = found && found.querySelector(":scope > details.fold");
  if (inner) inner.open = true;
  return found;
};
const arrive = () => {
  let id = location.hash.slice(1);
  try { id = decodeURIComponent(id); } catch {}
  const found = id && reveal(id);
  if (found) found.scrollIntoView({ block: found.tagName === "TR" ? "center" : "start" });
};
addEventListener("hashchange", arrive);
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href^='#'], a[data-records]");
  if (!link) return;
  all(".target").forEach((old) => old.classList.remove("target"));
  for (const id of (link.dataset.records || "").split(" ").filter(Boolean)) {
    const found = reveal(id);
    if (found) found.classList.add("target");
  }
  const address = link.getAttribute("href");
  reveal(address.slice(1));
  if (address === location.hash) arrive();
});
arrive();

// A command is broken between its words, not between -- and what follows.
for (const code of all(".command code")) {
  const words = code.textContent.split(" ").map((word) => {
    const part = document.createElement("span");
    part.textContent = word;
    return part;
  });
  code.replaceChildren(...words.flatMap((part, turn) => turn ? [" ", part] : [part]));
}

// Copying a command.
for (const button of all("button.copy")) button.addEventListener("click", async () => {
  const code = button.parentElement.querySelector("code");
  try { await navigator.clipboard.writeText(code.textContent); button.textContent = "copied"; }
  catch {
    getSelection().selectAllChildren(code);
    button.textContent = document.execCommand("copy") ? "copied" : "selected";
  }
});

// Pictures: whose attack is shown, and one image over rate and noise.
const press = (button) => {
  for (const other of all("button", button.parentElement)) {
    other.setAttribute("aria-pressed", String(other === button));
  }
};
for (const box of all(".pictures")) {
  const fill = (image) => {
    for (const cell of all("[data-place]", box)) {
      const row = box.querySelector(`tr[data-row="${cell.dataset.place}"]`);
      const from = row && row.querySelectorAll("td")[image];
      cell.className = from ? from.className : "";
      cell.replaceChildren(...(from ? Array.from(from.children, (c) => c.cloneNode(true)) : []));
    }
  };
  const cross = box.querySelector(".cross");
  if (cross) { cross.hidden = false; fill(0); }
  for (const button of all("button[data-attacker]", box)) button.addEventListener("click", () => {
    box.dataset.attacker = button.dataset.attacker;
    press(button);
  });
  for (const button of all("button[data-image]", box)) button.addEventListener("click", () => {
    fill(Number(button.dataset.image));
    press(button);
  });
}
