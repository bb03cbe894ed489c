"use strict";
(() => {
  const NEEDED = 3;                     // seconds of either side before an answer is taken
  const data = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const place = "partimento-listening-" + data.page;

  // What is kept, in this browser where it lets us: who listens, and the answers by the name of the pair.
  const store = (() => { try { const s = localStorage; s.getItem(place); return s; } catch { return null; } })();
  const fresh = () => {
    const words = crypto.getRandomValues(new Uint32Array(2));
    return { listener: [...words].map((w) => w.toString(16).padStart(8, "0")).join(""), training: "", answers: {} };
  };
  const kept = () => {
    try {
      const found = JSON.parse(store.getItem(place));
      return found && typeof found.listener === "string" && found.answers ? found : null;
    } catch { return null; }
  };
  let state = kept() || fresh();
  const keep = () => { try { store.setItem(place, JSON.stringify(state)); } catch { /* the file is saved at the end */ } };

  // Which of two stands left, and where the test begins, are drawn from the listener's number: the same after a pause.
  const random = (text) => {
    let h = 2166136261;
    for (const c of text) h = Math.imul(h ^ c.charCodeAt(0), 16777619);
    h ^= h >>> 15; h = Math.imul(h, 2246822519); h ^= h >>> 13; h = Math.imul(h, 3266489917); h ^= h >>> 16;
    return (h >>> 0) / 4294967296;
  };
  let trials = [];
  const deal = () => {
    const turn = Math.floor(random(state.listener) * data.trials.length);
    trials = [...data.trials.slice(turn), ...data.trials.slice(0, turn)].map(([name, one, other]) =>
      ({ name, sides: random(state.listener + name) < 0.5 ? [one, other] : [other, one] }));
  };
  deal();

  let now = 0, heard = [0, 0], began = 0, saved = false;
  const sides = [...document.querySelectorAll(".pl-side")];
  const players = sides.map((side, i) => {
    const sound = new Audio();
    sound.preload = "auto";
    let last = 0;
    const done = side.querySelector(".pl-done"), word = side.querySelector(".pl-word"), letter = "AB"[i];
    const draw = () => {
      const share = sound.duration ? Math.min(1, sound.currentTime / sound.duration) : 0;
      done.style.strokeDasharray = share + " 1";
      done.style.opacity = share > 0 ? 1 : 0;
      if (!sound.paused) {
        const step = sound.currentTime - last;
        if (step > 0 && step < 1) heard[i] += step;
        last = sound.currentTime;
        opened();
        requestAnimationFrame(draw);
      }
    };
    const show = () => {
      side.classList.toggle("pl-playing", !sound.paused);
      word.textContent = (sound.paused ? "Play " : "Pause ") + letter;
      last = sound.currentTime;
      draw();
    };
    sound.addEventListener("play", () => { players[1 - i].sound.pause(); show(); });
    sound.addEventListener("pause", show);
    sound.addEventListener("ended", () => { heard[i] = Math.max(heard[i], NEEDED); sound.currentTime = 0; show(); opened(); });
    sound.addEventListener("error", () => { if (sound.src.startsWith("data:audio")) at("wait").textContent = "This browser cannot play this sound."; });
    const toggle = () => { if (sound.paused) { sound.play().catch(() => {}); } else sound.pause(); };
    side.querySelector("button").addEventListener("click", toggle);
    return { sound, toggle, draw };
  });
  const quiet = () => players.forEach(({ sound }) => sound.pause());

  const show = (id) => {
    for (const name of ["intro", "trial", "end"]) at(name).hidden = name !== id;
    scrollTo(0, 0);
  };
  const chosen = (name) => { const found = document.querySelector(`input[name=${name}]:checked`); return found && found.value; };
  const choose = (name, value) => document.querySelectorAll(`input[name=${name}]`).forEach((box) => { box.checked = box.value === value; });
  const ready = () => heard.every((seconds) => seconds >= NEEDED);
  const opened = () => {
    const open = ready();
    at("choice").disabled = !open;
    at("sure").disabled = !open || !chosen("choice");
    at("next").disabled = !open || !chosen("choice");
    sides.forEach((side, i) => {
      const known = heard[i] >= NEEDED;
      if (side.classList.contains("pl-known") !== known) {
        side.classList.toggle("pl-known", known);
        side.querySelector(".pl-heard").textContent = known ? "heard" : "not heard yet";
      }
    });
    const text = open ? "" : "Listen to both first.";
    if (at("wait").textContent !== text) at("wait").textContent = text;
  };

  const pair = (index) => {
    now = index;
    const { name, sides: clips } = trials[now], before = state.answers[name];
    quiet();
    players.forEach(({ sound, draw }, i) => { sound.src = "data:audio/mpeg;base64," + data.clips[clips[i]]; draw(); });
    heard = before ? [...before.heard] : [0, 0];
    began = performance.now();
    choose("choice", before ? (before.choice === null ? "none" : String(clips.indexOf(before.choice))) : "");
    choose("sure", before && before.sure ? String(before.sure) : "");
    at("comment").value = before ? before.comment : "";
    at("where").textContent = `Pair ${now + 1} of ${trials.length}`;
    at("progress").max = trials.length;
    at("progress").value = Object.keys(state.answers).length;
    at("back").disabled = now === 0;
    at("next").textContent = now + 1 < trials.length ? "Next" : "Finish";
    show("trial");
    opened();
    at("where").focus({ preventScroll: true });
  };
  const note = () => {
    if (!ready() || !chosen("choice")) return;
    const { name, sides: clips } = trials[now], before = state.answers[name], value = chosen("choice");
    state.answers[name] = {
      trial: name, left: clips[0], choice: value === "none" ? null : clips[Number(value)],
      sure: chosen("sure") ? Number(chosen("sure")) : null, comment: at("comment").value.trim(),
      heard: heard.map((s) => Math.round(s * 10) / 10),
      seconds: Math.round((performance.now() - began) / 100 + (before ? before.seconds * 10 : 0)) / 10,
    };
    began = performance.now();
    keep();
  };
  const next = () => { note(); if (now + 1 < trials.length) pair(now + 1); else finish(); };

  const finish = () => {
    quiet();
    const answers = trials.map(({ name }) => state.answers[name]).filter(Boolean);
    const text = JSON.stringify({ kind: "partimento answers to a listening page", version: data.version, page: data.page,
      listener: state.listener, training: state.training, finished: answers.length === trials.length, answers }, null, 1);
    at("told").textContent = answers.length === trials.length ? `You answered all ${trials.length} pairs.`
      : `You answered ${answers.length} of ${trials.length} pairs.`;
    at("text").value = text;
    const link = at("save");
    if (link.href.startsWith("blob:")) URL.revokeObjectURL(link.href);
    link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    link.download = `answers-${state.listener.slice(0, 6)}.json`;
    show("end");
    at("thanks").focus({ preventScroll: true });
  };

  const first = () => Math.max(0, trials.findIndex(({ name }) => !state.answers[name]));
  const welcome = () => {
    const count = Object.keys(state.answers).length;
    at("start").textContent = count ? (count < trials.length ? `Go on with pair ${first() + 1}` : "To my answers") : "Start";
    at("anew").hidden = !count;
    choose("training", state.training);
    show("intro");
  };
  at("start").addEventListener("click", () => {
    state.training = chosen("training") || "";
    keep();
    if (Object.keys(state.answers).length === trials.length) finish(); else pair(first());
  });
  at("anew").addEventListener("click", () => { state = fresh(); keep(); deal(); welcome(); });
  at("next").addEventListener("click", next);
  at("back").addEventListener("click", () => { note(); if (now > 0) pair(now - 1); });
  at("save").addEventListener("click", () => { saved = true; });
  at("again").addEventListener("click", () => pair(0));
  document.querySelectorAll("input[name=choice], input[name=sure]").forEach((box) =>
    box.addEventListener("change", () => { opened(); note(); }));
  at("comment").addEventListener("change", note);
  document.addEventListener("keydown", (event) => {
    if (at("trial").hidden || event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "TEXTAREA") return;
    const key = event.key.toLowerCase();
    if (key === "a" || key === "b") players[key === "a" ? 0 : 1].toggle();
    else if ("123".includes(key) && !at("choice").disabled) {
      choose("choice", { 1: "0", 2: "none", 3: "1" }[key]);
      opened();
      note();
    } else if (key === "enter" && event.target.tagName !== "BUTTON" && !at("next").disabled) next();
    else return;
    event.preventDefault();
  });

  const minutes = (data.seconds + 8 * data.trials.length) / 60;
  at("minutes").textContent = minutes < 1.5 ? "a minute" : `${Math.ceil(minutes)} minutes`;
  at("silent").hidden = Boolean(new Audio().canPlayType("audio/mpeg"));
  if (!store) addEventListener("beforeunload", (event) => {       // nothing is kept here: ask before answers are lost
    if (Object.keys(state.answers).length && !saved) event.preventDefault();
  });
  welcome();
})();
