// The viewer: a video with its saliency drawn over it, and a time line of the predictions.
// Each `data.js` calls zooPane(description); maps come in chunks, each a picture of stacked maps.
(() => {
  "use strict";
  const panes = [];
  const COLOURS = {
    heat: [[0, 0, 96], [0, 96, 255], [0, 220, 200], [250, 240, 60], [255, 120, 0], [200, 0, 0]],
    viridis: [[68, 1, 84], [65, 68, 135], [42, 120, 142], [34, 168, 132], [122, 209, 81], [253, 231, 37]],
    magma: [[0, 0, 4], [81, 18, 124], [183, 55, 121], [252, 137, 97], [252, 253, 191]],
    grey: [[0, 0, 0], [255, 255, 255]],
  };
  const LINES = ["#0b7fd4", "#d4710b", "#2f9e44", "#b0389c", "#8a6d00", "#c92a2a"];
  const state = { playing: false, opacity: 0.6, colour: "heat", saliency: true, places: true, gaze: true, frame: 0, hidden: new Set() };
  const $ = (name) => document.getElementById(name);

  function lut(name) {
    const stops = COLOURS[name], table = new Uint8ClampedArray(768);
    for (let i = 0; i < 256; i++) {
      const at = (i / 255) * (stops.length - 1), low = Math.min(Math.floor(at), stops.length - 2), part = at - low;
      for (let c = 0; c < 3; c++) table[3 * i + c] = stops[low][c] * (1 - part) + stops[low + 1][c] * part;
    }
    return table;
  }
  let table = lut(state.colour);

  const baseOf = (script) => script.src.slice(0, script.src.lastIndexOf("/") + 1);
  window.zooPane = (about) => {
    panes.push({ about, base: baseOf(document.currentScript), chunks: new Map(), wanted: new Set() });
  };

  // A chunk's script calls this; the picture is a data URL, so its pixels may be read everywhere.
  window.zooChunk = (number, url) => {
    const base = baseOf(document.currentScript), pane = panes.find((p) => p.base === base);
    const image = new Image();
    image.onload = () => {
      const canvas = document.createElement("canvas");
      canvas.width = image.width;
      canvas.height = image.height;
      const context = canvas.getContext("2d", { willReadFrequently: true });
      context.drawImage(image, 0, 0);
      pane.chunks.set(number, context.getImageData(0, 0, image.width, image.height).data);
      for (const old of pane.chunks.keys()) if (Math.abs(old - number) > 8) { pane.chunks.delete(old); pane.wanted.delete(old); }
      draw();
    };
    image.src = url;
  };

  function chunkOf(pane, number) {
    if (number < 0 || number >= pane.about.chunks) return null;
    if (!pane.chunks.has(number) && !pane.wanted.has(number)) {
      pane.wanted.add(number);
      const script = document.createElement("script");
      script.src = `${pane.base}maps-${String(number).padStart(4, "0")}.js`;
      script.onerror = () => tell(pane, `The maps of this part are missing: ${script.src.split("/").pop()}.`);
      document.head.append(script);
    }
    return pane.chunks.get(number) || null;
  }

  const last = () => Math.max(0, panes[0].about.times.length - 1);
  const start = (pane) => pane.about.origin;
  function frameAt(seconds) {
    const times = panes[0].about.times, wanted = seconds + start(panes[0]) + 1e-4;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (times[middle] <= wanted) low = middle; else high = middle - 1;
    }
    return low;
  }
  function timeOf(frame) {
    const times = panes[0].about.times, next = frame + 1 < times.length ? times[frame + 1] : times[frame] + 0.02;
    return (times[frame] + next) / 2 - start(panes[0]); // the middle: no rounding shows a neighbour
  }
  const shown = (seconds) => `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(2).padStart(5, "0")}`;

  function tell(pane, text) {
    pane.notice.textContent = text;
    pane.notice.hidden = !text;
  }

  function build(pane, number) {
    const about = pane.about, figure = document.createElement("figure");
    figure.className = "pane";
    pane.stage = document.createElement("div");
    pane.stage.className = "stage";
    pane.stage.style.aspectRatio = `${about.width} / ${about.height}`;
    pane.stage.style.maxWidth = `calc(70vh * ${about.width / about.height})`;
    pane.canvas = document.createElement("canvas");
    pane.canvas.setAttribute("role", "img");
    pane.caption = document.createElement("figcaption");
    pane.notice = document.createElement("p");
    pane.notice.className = "notice";
    pane.notice.hidden = true;
    const served = location.protocol.startsWith("http");
    const original = about.original && pane.base + (served ? "original" : about.original);
    const film = about.film && `${pane.base}../${about.film}`;
    pane.burnt = !original; // the film has the saliency drawn into it
    if (about.picture) {
      const image = document.createElement("img");
      image.alt = `The picture ${about.title}`;
      image.src = original || film;
      pane.stage.append(image);
    } else {
      pane.video = document.createElement("video");
      pane.video.playsInline = true;
      pane.video.muted = number > 0;
      pane.video.preload = "auto";
      pane.video.setAttribute("aria-label", `The video ${about.title}`);
      pane.sources = [original, film].filter(Boolean);
      pane.video.addEventListener("error", () => fall(pane));
      pane.video.addEventListener("seeked", sync);
      pane.video.addEventListener("loadeddata", sync);
      if (number === 0) {
        pane.video.addEventListener("ended", () => play(false));
        pane.video.addEventListener("timeupdate", sync);
      }
      fall(pane);
      pane.stage.append(pane.video);
    }
    pane.stage.append(pane.canvas);
    const heading = document.createElement("h2");
    heading.textContent = about.about ? `${about.title}, ${about.about}` : about.title;
    heading.hidden = document.querySelectorAll("script[src$='/data.js']").length < 2;
    figure.append(heading, pane.stage, pane.notice, pane.caption);
    $("panes").append(figure);
  }

  // The next source, where the browser cannot play the one before.
  function fall(pane) {
    const failed = pane.video.getAttribute("src"), next = pane.sources.shift();
    if (failed) {
      const name = pane.about.original_name;
      tell(pane, next
        ? `This browser cannot play or find ${name}. It shows ${pane.about.film} instead, which already contains the saliency, so there is no overlay.`
        : `This browser can play neither ${name} nor a film of it. Open the file in another player, or convert it to MP4 (H.264).`);
      pane.burnt = true;
    }
    if (next) pane.video.src = next;
    else if (!failed) tell(pane, `The video ${pane.about.original_name} was not found, and no film of it was written.`);
  }

  function drawPane(pane) {
    const about = pane.about, canvas = pane.canvas, context = canvas.getContext("2d");
    const box = pane.stage.getBoundingClientRect(), ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const place = state.frame - about.first, has = place >= 0 && place < about.count;
    const constant = has && about.constant.includes(place);
    if (has && state.saliency && about.rows && !pane.burnt) {
      const data = chunkOf(pane, Math.floor(place / about.chunk));
      chunkOf(pane, Math.floor(place / about.chunk) + 1);
      if (data && !constant) {
        const size = about.rows * about.columns, from = (place % about.chunk) * size;
        const small = new ImageData(about.columns, about.rows);
        for (let i = 0; i < size; i++) {
          const value = data[4 * (from + i)];
          small.data[4 * i] = table[3 * value];
          small.data[4 * i + 1] = table[3 * value + 1];
          small.data[4 * i + 2] = table[3 * value + 2];
          small.data[4 * i + 3] = 255 * state.opacity * Math.sqrt(value / 255);
        }
        const buffer = document.createElement("canvas");
        buffer.width = about.columns;
        buffer.height = about.rows;
        buffer.getContext("2d").putImageData(small, 0, 0);
        context.imageSmoothingQuality = "high";
        context.drawImage(buffer, 0, 0, canvas.width, canvas.height);
      }
      pane.drawn = data ? state.frame : -1;
    }
    const dot = (x, y, radius, fill, line) => {
      context.beginPath();
      context.arc(x * canvas.width, y * canvas.height, radius * ratio, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
      context.lineWidth = 2 * ratio;
      context.strokeStyle = line;
      context.stroke();
    };
    const gaze = (about.gaze && about.gaze[state.frame]) || [];
    if (state.gaze) for (const [x, y] of gaze) dot(x, y, 3, "#fff", "#000");
    const places = (has && about.places[place]) || [];
    if (state.places) for (const [x, y, share] of places) dot(x, y, 4 + 10 * Math.sqrt(share), "transparent", "#fff");
    canvas.setAttribute("aria-label", describe(pane, has, constant, places, gaze));
    pane.caption.textContent = canvas.getAttribute("aria-label");
  }

  function describe(pane, has, constant, places, gaze) {
    const percent = (v) => `${Math.round(100 * v)}%`;
    let text = "The picture";
    if (last()) text = `Frame ${state.frame} of ${last()}, ${shown(pane.about.times[state.frame])}`;
    if (!has) return `${text}: no prediction for this frame.`;
    if (constant) text += ": the map is constant, so it does not say where people look";
    else if (places.length) {
      const [x, y, share] = places[0];
      text += `: the most likely place is ${percent(x)} from the left and ${percent(y)} from the top, with ${percent(share)} of the saliency`;
    }
    if (gaze.length) text += `; ${gaze.length} gaze points of viewers`;
    return `${text}.`;
  }

  function series() {
    return panes.flatMap((pane, p) => pane.about.series.map((s) => ({ ...s, pane, label: panes.length > 1 ? `${s.name} (${p + 1})` : s.name })));
  }

  function drawTimeline() {
    const canvas = $("timeline"), context = canvas.getContext("2d"), ratio = window.devicePixelRatio || 1;
    const box = canvas.getBoundingClientRect();
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const w = canvas.width, h = canvas.height, style = getComputedStyle(document.body);
    const x = (frame) => (last() ? (frame / last()) * w : w / 2);
    panes.forEach((pane) => {
      for (const segment of pane.about.segments) {
        context.fillStyle = "rgba(11, 127, 212, 0.18)";
        context.fillRect(x(frameAt(segment.start - start(pane))), 0, Math.max(2, x(frameAt(segment.end - start(pane))) - x(frameAt(segment.start - start(pane)))), h);
      }
    });
    series().forEach((s, i) => {
      if (state.hidden.has(s.label)) return;
      const finite = s.values.filter((v) => v !== null), low = Math.min(...finite.length < 1e5 ? finite : [0]), high = Math.max(...finite.length < 1e5 ? finite : [1]);
      const span = high - low || 1, step = Math.max(1, Math.floor(s.values.length / (2 * w)));
      context.beginPath();
      context.strokeStyle = LINES[i % LINES.length];
      context.lineWidth = 1.5 * ratio;
      if (i >= LINES.length) context.setLineDash([6 * ratio, 3 * ratio]);
      let pen = false;
      for (let k = 0; k < s.values.length; k += step) {
        const value = s.values[k];
        if (value === null) { pen = false; continue; }
        const y = h - 4 * ratio - ((value - low) / span) * (h - 8 * ratio), at = x(s.first + k);
        if (pen) context.lineTo(at, y); else context.moveTo(at, y);
        pen = true;
      }
      context.stroke();
      context.setLineDash([]);
    });
    context.strokeStyle = style.color;
    context.lineWidth = 2 * ratio;
    context.beginPath();
    context.moveTo(x(state.frame), 0);
    context.lineTo(x(state.frame), h);
    context.stroke();
  }

  function draw() {
    panes.forEach(drawPane);
    drawTimeline();
    const text = last() ? `frame ${state.frame} of ${last()}, ${shown(panes[0].about.times[state.frame] || 0)}` : "";
    for (const name of ["seek", "timeline"]) $(name).setAttribute("aria-valuetext", text);
    $("timeline").setAttribute("aria-valuenow", state.frame);
    $("seek").value = state.frame;
    $("where").textContent = text;
    const values = series().map((s) => {
      const value = s.values[state.frame - s.first];
      return `${s.label} ${value === undefined || value === null ? "-" : value.toPrecision(3)}${s.unit ? " " + s.unit : ""}`;
    });
    $("values").textContent = values.join(", ");
  }

  // What the video shows is what is drawn, whoever moved it.
  function sync() {
    const video = panes[0].video;
    if (video && video.readyState >= 2) {
      const frame = frameAt(video.currentTime);
      if (frame !== state.frame || !state.playing) { state.frame = frame; draw(); }
    }
    if (state.playing) for (const pane of panes.slice(1)) {
      if (pane.video && Math.abs(pane.video.currentTime - video.currentTime) > 0.1) pane.video.currentTime = video.currentTime;
    }
  }
  function loop() {
    if (!state.playing) return;
    sync();
    const video = panes[0].video;
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(loop);
    else requestAnimationFrame(loop);
  }
  function play(on) {
    const videos = panes.map((p) => p.video).filter(Boolean);
    if (!videos.length) return;
    state.playing = on;
    $("play").textContent = on ? "Pause" : "Play";
    $("play").setAttribute("aria-pressed", on);
    for (const video of videos) if (on) video.play().catch(() => play(false)); else video.pause();
    if (on) loop();
  }
  function go(frame) {
    frame = Math.min(last(), Math.max(0, Math.round(frame)));
    state.frame = frame;
    for (const pane of panes) if (pane.video) pane.video.currentTime = timeOf(frame);
    draw();
  }

  function controls() {
    $("play").addEventListener("click", () => play(!state.playing));
    $("back").addEventListener("click", () => { play(false); go(state.frame - 1); });
    $("forward").addEventListener("click", () => { play(false); go(state.frame + 1); });
    $("seek").max = last();
    $("seek").addEventListener("input", (event) => go(Number(event.target.value)));
    $("opacity").addEventListener("input", (event) => { state.opacity = event.target.value / 100; draw(); });
    $("colour").addEventListener("change", (event) => { state.colour = event.target.value; table = lut(state.colour); draw(); });
    $("speed").addEventListener("change", (event) => { for (const pane of panes) if (pane.video) pane.video.playbackRate = Number(event.target.value); });
    for (const name of ["saliency", "places", "gaze"]) $(name).addEventListener("change", (event) => { state[name] = event.target.checked; draw(); });
    $("gaze").parentElement.hidden = !panes.some((p) => p.about.gaze);
    const timeline = $("timeline");
    timeline.setAttribute("aria-valuemax", last());
    const point = (event) => {
      const box = timeline.getBoundingClientRect();
      go(((event.clientX - box.left) / box.width) * last());
    };
    timeline.addEventListener("pointerdown", (event) => { timeline.setPointerCapture(event.pointerId); point(event); });
    timeline.addEventListener("pointermove", (event) => { if (event.buttons) point(event); });
    document.addEventListener("keydown", (event) => {
      const tag = event.target.tagName, range = event.target.type === "range";
      if (event.ctrlKey || event.metaKey || event.altKey || tag === "SELECT" || (range && event.target.id !== "seek")) return;
      const second = Math.max(1, Math.round(1 / ((panes[0].about.times[last()] - start(panes[0])) / last() || 1)));
      const moves = { ArrowLeft: -1, ArrowRight: 1, ",": -1, ".": 1, PageUp: -second, PageDown: second };
      if (event.key in moves) { play(false); go(state.frame + moves[event.key]); }
      else if (event.key === "Home") go(0);
      else if (event.key === "End") go(last());
      else if ((event.key === " " && tag !== "BUTTON" && tag !== "INPUT") || event.key === "k") play(!state.playing);
      else if (event.key === "s") $("saliency").click();
      else if (event.key === "c") $("places").click();
      else return;
      event.preventDefault();
    });
    new ResizeObserver(draw).observe($("panes"));
  }

  function lists() {
    series().forEach((s, i) => {
      const label = document.createElement("label"), box = document.createElement("input"), key = document.createElement("span");
      box.type = "checkbox";
      box.checked = true;
      box.addEventListener("change", () => { if (box.checked) state.hidden.delete(s.label); else state.hidden.add(s.label); draw(); });
      key.className = "key";
      key.style.background = LINES[i % LINES.length];
      label.append(box, key, `${s.label}${s.unit ? ` (${s.unit})` : ""}`);
      label.title = s.meaning;
      $("legend").append(label);
    });
    panes.forEach((pane, number) => {
      for (const segment of pane.about.segments) {
        const item = document.createElement("li"), button = document.createElement("button");
        button.textContent = `${segment.label} ${shown(segment.start)} to ${shown(segment.end)}`;
        button.addEventListener("click", () => go(frameAt(segment.start - start(pane))));
        item.append(button);
        $("segments").append(item);
      }
      for (const [name, share] of pane.about.actions) {
        const row = $("actions").insertRow();
        row.insertCell().textContent = panes.length > 1 ? `${name} (${number + 1})` : name;
        row.insertCell().textContent = `${(100 * share).toFixed(1)}%`;
      }
    });
    $("segments").parentElement.hidden = !panes.some((p) => p.about.segments.length);
    $("actions").closest("section").hidden = !panes.some((p) => p.about.actions.length);
  }

  document.addEventListener("DOMContentLoaded", () => {
    if (!panes.length) { $("panes").textContent = "The data of this page (viewer/data.js) is missing."; return; }
    panes.forEach(build);
    controls();
    lists();
    draw();
    window.zooViewer = { state, panes, go, play };
  });
})();
