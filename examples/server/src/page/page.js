"use strict";

const $ = (id) => document.getElementById(id);
const UNSURE = 0.5;
let session = null;

function say(text, kind = "") {
  $("state").textContent = text;
  $("state").className = `state ${kind}`;
}

function query(more) {
  const parameters = new URLSearchParams(more);
  if ($("smart").checked) parameters.set("smart_format", "true");
  for (const term of $("keyterms").value.split(",")) {
    if (term.trim()) parameters.append("keyterm", term.trim());
  }
  return parameters.toString();
}

// Captions

function mark() {
  const captions = $("captions");
  captions.classList.toggle("empty", !$("finals").firstChild && !$("interim").textContent);
  captions.scrollTop = captions.scrollHeight;
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// One utterance: its time, and its words with those underlined that may be wrong.
function showUtterance(words, start) {
  const line = document.createElement("p");
  const time = document.createElement("time");
  time.textContent = clock(start);
  const text = document.createElement("span");
  for (const { word, punctuated_word, confidence } of words) {
    const part = document.createElement("span");
    part.textContent = punctuated_word ?? word;
    if (confidence < UNSURE) {
      part.className = "unsure";
      part.title = `${Math.round(confidence * 100)} % sure`;
    }
    text.append(part, " ");
  }
  line.append(time, text);
  $("finals").append(line);
}

function showInterim(text) {
  $("interim").textContent = text;
  mark();
}

// Plots: the latest values, newest on the right.

function plot(canvas, values, top, bars) {
  const scale = devicePixelRatio || 1;
  const width = (canvas.width = canvas.clientWidth * scale);
  const height = (canvas.height = canvas.clientHeight * scale);
  const context = canvas.getContext("2d");
  const step = (bars ? 10 : 3) * scale;
  const shown = values.slice(-Math.floor(width / step));
  context.fillStyle = getComputedStyle(canvas).color;
  context.globalAlpha = 0.15;
  context.fillRect(0, height - scale, width, scale);
  context.globalAlpha = 0.85;
  shown.forEach((value, i) => {
    const size = Math.max(scale, Math.min(1, value / top) * (height - scale));
    context.fillRect(width - step * (shown.length - i), height - size, step - scale, size);
  });
}

function keep(values, value) {
  values.push(value);
  if (values.length > 1000) values.shift();
}

// The microphone

async function start() {
  const mine = { levels: [], latencies: [], sent: 0 };
  session = mine;
  mine.media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  mine.audio = new AudioContext();
  await mine.audio.audioWorklet.addModule("capture.js");
  const parameters = query({
    encoding: "linear16",
    sample_rate: mine.audio.sampleRate,
    interim_results: "true",
    endpointing: "500",
  });
  const token = $("token").value.trim();
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/listen?${parameters}`;
  mine.socket = new WebSocket(address, token ? ["token", token] : []);
  mine.socket.binaryType = "arraybuffer";
  mine.socket.onopen = () => listen(mine);
  mine.socket.onmessage = ({ data }) => receive(mine, JSON.parse(data));
  mine.socket.onclose = ({ code, reason }) => {
    release(mine);
    if (code === 1000) say("ready");
    else say(reason || (code === 1006 ? "no connection; is a token needed?" : `closed with code ${code}`), "bad");
  };
}

function listen(mine) {
  const capture = new AudioWorkletNode(mine.audio, "capture", { numberOfOutputs: 0 });
  capture.port.onmessage = ({ data }) => {
    if (mine.socket.readyState !== WebSocket.OPEN) return;
    mine.socket.send(data);
    mine.sent += data.length / mine.audio.sampleRate;
    const level = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length) / 32768;
    keep(mine.levels, level);
    $("level-db").textContent = `${Math.max(-99, Math.round(20 * Math.log10(level + 1e-6)))} dB`;
    plot($("level"), mine.levels, 0.25, false);
  };
  mine.audio.createMediaStreamSource(mine.media).connect(capture);
  say("listening", "on");
}

function receive(mine, message) {
  if (message.type !== "Results") return;
  const { transcript, words } = message.channel.alternatives[0];
  if (message.is_final) {
    if (words.length) showUtterance(words, words[0].start);
    showInterim("");
  } else {
    showInterim(transcript);
    // How much audio was sent since the newest word began: where it ends is not known before the next one.
    if (words.length && words.length !== mine.shown) {
      const latency = Math.max(0, (mine.sent - words.at(-1).start) * 1000);
      keep(mine.latencies, latency);
      $("latency-ms").textContent = `${Math.round(latency)} ms`;
      plot($("latency"), mine.latencies, 1500, true);
    }
  }
  mine.shown = message.is_final ? 0 : words.length;
}

function release(ended) {
  ended.media?.getTracks().forEach((track) => track.stop());
  ended.audio?.close().catch(() => {});
  if (session === ended) session = null;
  $("listen").setAttribute("aria-pressed", "false");
  $("listen").textContent = "Listen";
}

$("listen").onclick = async () => {
  if (session) {
    if (session.socket?.readyState === WebSocket.OPEN) session.socket.send('{"type":"CloseStream"}');
    return;
  }
  $("listen").setAttribute("aria-pressed", "true");
  $("listen").textContent = "Stop";
  say("opening the microphone");
  try {
    // Browsers hand out microphones to pages over https, or of this machine.
    if (!navigator.mediaDevices) throw new Error("the microphone needs https, or this page at localhost");
    await start();
  } catch (error) {
    if (session) release(session);
    say(error.message, "bad");
  }
};

// Files

async function transcribe(file) {
  say(`transcribing ${file.name}`, "on");
  const token = $("token").value.trim();
  const headers = { "Content-Type": "application/octet-stream" };
  if (token) headers.Authorization = `Token ${token}`;
  try {
    const parameters = query({ utterances: "true" });
    const answer = await fetch(`/v1/listen?${parameters}`, { method: "POST", headers, body: file });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.err_msg);
    for (const { words, start } of body.results.utterances) showUtterance(words, start);
    say(body.results.utterances.length ? "ready" : `no words in ${file.name}`);
  } catch (error) {
    say(error.message, "bad");
  }
  mark();
}

$("file").onchange = async ({ target }) => {
  const [file] = target.files;
  if (file) await transcribe(file);
  target.value = "";
};

const captions = $("captions");
captions.ondragover = (event) => {
  event.preventDefault();
  captions.classList.add("drop");
};
captions.ondragleave = () => captions.classList.remove("drop");
captions.ondrop = async (event) => {
  event.preventDefault();
  captions.classList.remove("drop");
  const [file] = event.dataTransfer.files;
  if (file) await transcribe(file);
};

// What was said, as text

$("clear").onclick = () => {
  $("finals").replaceChildren();
  showInterim("");
};

$("copy").onclick = async () => {
  const lines = [...$("finals").querySelectorAll("p > span")].map((line) => line.textContent.trim());
  try {
    await navigator.clipboard.writeText(lines.join("\n"));
    say("copied");
  } catch {
    say("the browser did not allow it", "bad");
  }
};

mark();
