"use strict";

const $ = (id) => document.getElementById(id);
let session = null;

function say(text) {
  $("state").textContent = text;
}

function query(more) {
  const parameters = new URLSearchParams(more);
  if ($("smart").checked) parameters.set("smart_format", "true");
  return parameters.toString();
}

function showFinal(text) {
  if (text) $("finals").textContent += ($("finals").textContent ? " " : "") + text;
  $("interim").textContent = "";
}

// A strip of the latest values, newest on the right.
function plot(canvas, values, top) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  context.strokeStyle = getComputedStyle(document.body).color;
  context.beginPath();
  values.slice(-width / 2).forEach((value, i, shown) => {
    const x = width - 2 * (shown.length - i);
    const y = height - Math.min(1, value / top) * (height - 4) - 2;
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  context.stroke();
}

async function start() {
  const media = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } });
  const audio = new AudioContext();
  await audio.audioWorklet.addModule("capture.js");
  const parameters = query({
    encoding: "linear16",
    sample_rate: audio.sampleRate,
    interim_results: "true",
    endpointing: "500",
  });
  const token = $("token").value.trim();
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/v1/listen?${parameters}`;
  const socket = new WebSocket(address, token ? ["token", token] : []);
  socket.binaryType = "arraybuffer";
  session = { media, audio, socket, levels: [], latencies: [], sent: 0 };
  const mine = session;

  socket.onopen = () => {
    const source = audio.createMediaStreamSource(media);
    const capture = new AudioWorkletNode(audio, "capture", { numberOfOutputs: 0 });
    capture.port.onmessage = ({ data }) => {
      if (socket.readyState !== WebSocket.OPEN) return;
      socket.send(data);
      mine.sent += data.length / audio.sampleRate;
      mine.levels.push(Math.sqrt(data.reduce((sum, x) => sum + x * x, 0) / data.length) / 32768);
      plot($("level"), mine.levels, 0.3);
    };
    source.connect(capture);
    say("listening");
  };
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    if (message.type !== "Results") return;
    const text = message.channel.alternatives[0].transcript;
    if (message.is_final) showFinal(text);
    else $("interim").textContent = text;
    // Audio that was sent and is not covered by this result yet.
    const latency = Math.max(0, (mine.sent - message.start - message.duration) * 1000);
    mine.latencies.push(latency);
    $("latency-ms").textContent = `${Math.round(latency)} ms`;
    plot($("latency"), mine.latencies, 1000);
  };
  socket.onclose = ({ code, reason }) => {
    say(code === 1000 ? "ready" : `closed: ${reason || code}`);
    release(mine);
  };
}

function release(ended) {
  ended.media.getTracks().forEach((track) => track.stop());
  ended.audio.close().catch(() => {});
  if (session === ended) session = null;
  $("listen").classList.remove("on");
  $("listen").textContent = "Listen";
}

$("listen").onclick = async () => {
  if (session) {
    if (session.socket.readyState === WebSocket.OPEN) session.socket.send('{"type":"CloseStream"}');
    return;
  }
  $("listen").classList.add("on");
  $("listen").textContent = "Stop";
  try {
    await start();
  } catch (error) {
    say(error.message);
    $("listen").classList.remove("on");
    $("listen").textContent = "Listen";
  }
};

$("file").onchange = async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  if (!file) return;
  say(`transcribing ${file.name}`);
  const token = $("token").value.trim();
  const headers = token ? { Authorization: `Token ${token}` } : {};
  try {
    const answer = await fetch(`/v1/listen?${query({ paragraphs: "true" })}`, { method: "POST", headers, body: file });
    const body = await answer.json();
    if (!answer.ok) throw new Error(body.err_msg);
    showFinal(body.results.channels[0].alternatives[0].transcript);
    say("ready");
  } catch (error) {
    say(error.message);
  }
};
