"use strict";
(() => {
  // Tables that sort by their heads.
  const value = (row, column) => {
    const cell = row.cells[column];
    const said = "v" in cell.dataset ? cell.dataset.v : cell.textContent.trim();
    return said !== "" && !Number.isNaN(Number(said)) ? Number(said) : said;
  };
  document.querySelectorAll("table[data-sort]").forEach((table) => {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      if (!button.textContent) button.setAttribute("aria-label", "sort by verdict");
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.dataset.by === "n" ? head.getAttribute("aria-sort") !== "descending"
          : head.getAttribute("aria-sort") === "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows];
        rows.sort((one, other) => {
          const a = value(one, column), b = value(other, column);
          if (a === "" || b === "") return (a === "") - (b === "");
          const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
          return down ? -order : order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  });

  // From a finding to its place in the sound and in the roll, and back.
  document.querySelectorAll(".pr-piece").forEach((piece) => {
    const sound = piece.querySelector("audio");
    const here = (number) => {
      piece.querySelectorAll(".pr-here").forEach((other) => other.classList.remove("pr-here"));
      for (const kind of ["f", "m"]) {
        const found = document.getElementById(`${piece.id}-${kind}${number}`);
        if (found) found.classList.add("pr-here");
      }
    };
    const play = (second) => {
      sound.currentTime = Math.max(0, second);
      sound.play().catch(() => {});
    };
    if (sound) piece.classList.add("pr-live");
    piece.querySelectorAll("a[data-second]").forEach((link) => link.addEventListener("click", (event) => {
      const second = Number(link.dataset.second), found = link.closest(".pr-findings li");
      if (found) here(found.value);
      if (!sound || (sound.duration && second >= sound.duration)) return;
      event.preventDefault();
      const place = found ? document.querySelector(link.getAttribute("href")) : piece.querySelector(".pm-roll");
      if (place) place.scrollIntoView({ block: "center", behavior: "smooth" });
      play(second);
    }));
    piece.querySelectorAll(".pr-badges a").forEach((mark) => mark.addEventListener("click", (event) => {
      event.stopPropagation();
      here(mark.dataset.at);
      const link = piece.querySelector(`#${piece.id}-f${mark.dataset.at} a[data-second]`);
      const folded = link && link.closest("details");
      if (folded) folded.open = true;
    }));
  });
})();
