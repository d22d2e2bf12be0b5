#!/usr/bin/env node
'use strict';
// node transcribe.js MODEL FILE            the transcript of an audio file
// node transcribe.js MODEL - [RATE_HZ]     live: raw 16-bit mono samples from standard input, words as they come
const { Engine } = require('.');

const [model, file, rate = '16000'] = process.argv.slice(2);
if (!model || !file) {
  console.error('usage: node transcribe.js MODEL FILE | MODEL - [RATE_HZ]');
  process.exit(2);
}
const engine = new Engine(model);
if (file !== '-') {
  console.log(engine.transcribeFile(file).text);
} else {
  const stream = engine.stream({ sample_rate_hz: Number(rate) });
  const show = (events) => events.filter((event) => event.kind === 'final').forEach((final) => console.log(final.text));
  let odd = Buffer.alloc(0);
  process.stdin.on('data', (data) => {
    const all = Buffer.concat([odd, data]);
    odd = all.subarray(all.length & ~1);
    show(stream.push(all.subarray(0, all.length & ~1)));
  });
  process.stdin.on('end', () => show(stream.finish()));
}
