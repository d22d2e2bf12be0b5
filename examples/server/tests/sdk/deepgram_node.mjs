// The official client for Node.js, unmodified, against a running server.
//
//     npm install && node deepgram_node.mjs 127.0.0.1:8080 speech.wav
//
// Sends a 16 kHz mono 16-bit WAV file live and as a recording, and prints one JSON object with what came back. The
// client is looked for beside this file, or in the folder that LINNET_SDK_NODE names.

import { createReadStream, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(process.env.LINNET_SDK_NODE ? `${process.env.LINNET_SDK_NODE}/package.json` : import.meta.url);
const { DeepgramClient } = require("@deepgram/sdk");

const MESSAGE_BYTES = 3200;
const HEADER_BYTES = 44;
const PATIENCE_MS = 60_000;

async function live(client, path) {
  const connection = await client.listen.v1.connect({
    model: "nova-3",
    encoding: "linear16",
    sample_rate: 16000,
    interim_results: "true",
    utterance_end_ms: 1000,
    vad_events: "true",
    punctuate: "true",
  });
  const messages = [];
  let closes = 0;
  const closed = new Promise((resolve, reject) => {
    connection.on("message", (message) => messages.push(message));
    connection.on("error", reject);
    connection.on("close", (event) => resolve(event.code, closes++));
    setTimeout(() => reject(new Error("the server does not close the connection")), PATIENCE_MS).unref();
  });
  connection.connect();
  await connection.waitForOpen();
  connection.sendKeepAlive({ type: "KeepAlive" });
  const audio = readFileSync(path).subarray(HEADER_BYTES);
  for (let at = 0; at < audio.length; at += MESSAGE_BYTES) connection.sendMedia(audio.subarray(at, at + MESSAGE_BYTES));
  connection.sendFinalize({ type: "Finalize" });
  connection.sendCloseStream({ type: "CloseStream" });
  const code = await closed;
  // A client that takes the end for a fault would connect again now.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  const results = messages.filter((message) => message.type === "Results");
  const finals = results.filter((message) => message.is_final);
  const best = finals.map((message) => message.channel.alternatives[0]);
  return {
    code,
    closes,
    kinds: [...new Set(messages.map((message) => message.type))].sort(),
    text: best.map((alternative) => alternative.transcript).filter(Boolean).join(" "),
    interims: results.length - finals.length,
    from_finalize: finals.some((message) => message.from_finalize),
    words: best.reduce((count, alternative) => count + alternative.words.length, 0),
    request_id: finals[0].metadata.request_id,
    duration: messages.find((message) => message.type === "Metadata").duration,
  };
}

async function recording(client, path) {
  const answer = await client.listen.v1.media.transcribeFile(createReadStream(path), {
    model: "nova-3",
    utterances: true,
    paragraphs: true,
    smart_format: true,
  });
  const best = answer.results.channels[0].alternatives[0];
  return {
    text: best.transcript,
    words: best.words.length,
    utterances: answer.results.utterances.length,
    paragraphs: best.paragraphs.paragraphs.length,
    duration: answer.metadata.duration,
  };
}

const [address, path] = process.argv.slice(2);
const environment = {
  base: `http://${address}`,
  production: `ws://${address}`,
  agent: `ws://${address}`,
  agentRest: `http://${address}`,
};
const client = new DeepgramClient({ apiKey: "unused", environment });
console.log(JSON.stringify({ live: await live(client, path), recording: await recording(client, path) }));
process.exit(0);
