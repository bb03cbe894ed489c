"use strict";
(() => {
  // One entry a panel: a cursor that follows the sound over the roll, seeking by click and keys, and the loop button.
  const players = [];
  const between = (table, from, to, value) => {
    // Piecewise straight: the column `to` of a sorted table where its column `from` has `value`.
    let low = 0, high = table.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (table[middle][from] <= value) low = middle; else high = middle;
    }
    const a = table[low], b = table[high], span = b[from] - a[from];
    const share = span > 0 ? Math.min(1, Math.max(0, (value - a[from]) / span)) : 0;
    return a[to] + share * (b[to] - a[to]);
  };

  const start = (panel) => {
    panel.dataset.live = "yes";
    const audio = panel.querySelector("audio");
    const roll = panel.querySelector(".pm-roll");
    const svg = roll && roll.querySelector("svg");
    const data = panel.querySelector("script[type='application/json']");
    if (!audio || !svg || !data) return;
    const { times, systems, bars } = JSON.parse(data.textContent);
    const cursor = document.createElementNS(svg.namespaceURI, "rect");
    cursor.setAttribute("class", "pm-cursor");
    cursor.setAttribute("width", "2");
    cursor.setAttribute("visibility", "hidden");
    svg.append(cursor);
    panel.classList.add("pm-live");
    players.push(audio);
    let row = -1;

    const draw = () => {
      const tick = between(times, 1, 0, audio.currentTime);
      let now = systems.findIndex((s) => tick < s[1]);
      if (now < 0) now = systems.length - 1;
      const [first, end, left, right, top, bottom] = systems[now];
      const x = left + (right - left) * Math.min(1, (tick - first) / Math.max(1, end - first));
      cursor.setAttribute("x", (x - 1).toFixed(1));
      cursor.setAttribute("y", top - 4);
      cursor.setAttribute("height", bottom - top + 8);
      cursor.setAttribute("visibility", "visible");
      if (audio.paused) return;
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      if (roll.scrollWidth > roll.clientWidth + 2) {
        const at = x * scale - roll.scrollLeft;
        if (at < 40 || at > roll.clientWidth - 40) roll.scrollLeft = x * scale - 80;
      }
      if (now !== row) {
        row = now;
        const box = svg.getBoundingClientRect();
        const low = box.top + bottom * scale, high = box.top + top * scale;
        if ((low > innerHeight || high < 0) && low - high < innerHeight) {
          scrollBy({ top: high - 60, behavior: "smooth" });
        }
      }
    };
    const follow = () => { draw(); if (!audio.paused) requestAnimationFrame(follow); };
    const seek = (tick) => { audio.currentTime = between(times, 0, 1, tick); draw(); };
    const toggle = () => { if (audio.paused) audio.play(); else audio.pause(); };

    audio.addEventListener("play", () => {
      for (const other of players) if (other !== audio) other.pause();
      row = -1;
      follow();
    });
    audio.addEventListener("seeked", draw);
    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
      const away = (s) => Math.max(s[4] - 30 - y, y - s[5], 0);
      const [first, end, left, right] = systems.reduce((best, s) => (away(s) < away(best) ? s : best));
      seek(first + (end - first) * Math.min(1, Math.max(0, (x - left) / (right - left))));
      if (audio.paused) audio.play();
    });
    roll.addEventListener("keydown", (event) => {
      const tick = between(times, 1, 0, audio.currentTime);
      if (event.key === " ") toggle();
      else if (event.key === "ArrowRight") seek(bars.find((bar) => bar > tick + 1) ?? bars[bars.length - 1]);
      else if (event.key === "ArrowLeft") {
        const before = bars.filter((bar) => between(times, 0, 1, bar) < audio.currentTime - 0.25);
        seek(before.length ? before[before.length - 1] : 0);
      } else if (event.key === "Home") seek(0);
      else return;
      event.preventDefault();
    });
    const loop = panel.querySelector("button[data-loop]");
    if (loop) {
      loop.hidden = false;
      loop.addEventListener("click", () => {
        audio.loop = !audio.loop;
        loop.setAttribute("aria-pressed", String(audio.loop));
        if (audio.loop && audio.paused) audio.play();
      });
    }
  };
  document.querySelectorAll(".pm-panel:not([data-live])").forEach(start);
})();
