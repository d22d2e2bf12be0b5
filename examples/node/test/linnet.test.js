'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Engine, LinnetError } = require('..');

const ROOT = path.resolve(__dirname, '../../..');
const MODEL = path.join(ROOT, 'models/linnet-en.linnet');
const CLIP = path.join(ROOT, 'engine/tests/data/speech/formats/speech.wav');

const engine = new Engine(MODEL);
const pcm = fs.readFileSync(CLIP).subarray(44);
const expected = engine.transcribeFile(CLIP);

function say(stream) {
  const events = stream.push(pcm).concat(stream.finalize());
  const finals = events.filter((event) => event.kind === 'final');
  assert.strictEqual(finals.length, 1);
  return finals[0];
}

/** The word that the recognizer is surest of: said again with other settings, it is heard again. */
function surestOf(final) {
  return final.words.reduce((a, b) => (b.confidence > a.confidence ? b : a)).text;
}

test('a stream gives the words of the file', () => {
  assert.ok(expected.text.length > 0);
  assert.strictEqual(expected.words.map((word) => word.text).join(' '), expected.text);
  const samples = new Int16Array(pcm.buffer.slice(pcm.byteOffset, pcm.byteOffset + pcm.length));
  for (const given of [pcm, samples, Float32Array.from(samples, (sample) => sample / 32768)]) {
    const stream = new Engine(fs.readFileSync(MODEL)).stream({ chunk_ms: 2 ** 32 - 1, endpoint_ms: 0 });
    const events = [];
    const block = given instanceof Uint8Array ? 3200 : 1600;
    for (let at = 0; at < given.length; at += block) events.push(...stream.push(given.subarray(at, at + block)));
    events.push(...stream.finish());
    assert.strictEqual(events[0].kind, 'speech_started');
    assert.strictEqual(events.at(-1).kind, 'utterance_end');
    assert.deepStrictEqual(events.filter((event) => event.kind === 'final').map((final) => final.text), [expected.text]);
    assert.throws(() => stream.push(given), /ended/);
    stream.close();
    stream.close();
    assert.throws(() => stream.finalize(), LinnetError);
  }
});

test('settings change in mid-stream', () => {
  const stream = engine.stream({ endpoint_ms: 0, beam_width: 4, alternatives: 2 });
  const plain = say(stream);
  assert.ok(plain.alternatives.length > 0 && plain.interpretation === null);
  const surest = surestOf(plain);
  const hotwords = engine.hotwords(['tea', { phrase: 'zebra', boost: 3, sounds_like: [surest] }, { phrase: 'mocha', boost: 99 }]);
  assert.deepStrictEqual(hotwords.rejected.map((rejected) => rejected.phrase), ['mocha']);
  assert.match(hotwords.rejected[0].reason, /99/);
  stream.setHotwords(hotwords);
  hotwords.close();
  assert.match(say(stream).text, /zebra/);
  stream.setHotwords(null);
  stream.setFormat({ punctuate: true, redact: ['cards'], replace: [[surest, 'zounds']] });
  assert.match(say(stream).written, /zounds/i);
  stream.setFormat(null);
  const grammar = engine.grammar('#JSGF V1.0;\npublic <ask> = (will | can){verb} you help (me | us);', { rejection: -1e9, letter_reward: 3 });
  stream.setGrammar(grammar);
  const { interpretation } = say(stream);
  assert.strictEqual(interpretation.intent, 'ask');
  assert.ok(interpretation.accepted && ['will', 'can'].includes(interpretation.slots[0].value));
  stream.setGrammar(null);
  stream.setPolicy('dictation');
  stream.setPolicy({ endpoint_ms: 500 });
  assert.throws(() => stream.setPolicy('nothing'), /preset/);
  stream.close();
});

test('a recording takes the settings of a stream', () => {
  const options = { beam_width: 4, alternatives: 3 };
  const first = engine.transcribeFile(CLIP, options).words[0].text;
  const format = { punctuate: true, replace: [[first, 'zounds']] };
  const final = engine.transcribeFile(CLIP, { format, ...options });
  assert.match(final.written, /^zounds .*\.$/i);
  assert.strictEqual(final.alternatives[0].text, final.text);
  const plain = engine.stream({ endpoint_ms: 0 });
  const replace = [[say(plain).words[0].text, 'zounds']];
  plain.close();
  const stream = engine.stream({ format: { replace }, endpoint_ms: 0 });
  assert.match(say(stream).written, /^zounds/i);
  stream.close();
});

const LETTER = '\\data\\\n\\1-grams:\n-99\t<s>\n-1\t</s>\n-0.1\te\n\\end\\\n';

test('a language model counts, and speakers are told apart', () => {
  const heard = (options) => engine.transcribeFile(CLIP, { beam_width: 4, ...options });
  const plain = heard({ language_model: false });
  const strong = engine.languageModel(Buffer.from(LETTER), { weight: 5 });
  const mute = engine.languageModel(Buffer.from(LETTER), { weight: 0, token_reward: 0 });
  assert.strictEqual(heard({ language_model: mute }).text, plain.text);
  assert.notStrictEqual(heard({ language_model: strong }).text, plain.text);
  strong.close();
  mute.close();
  assert.throws(() => engine.languageModel('no-such-model.arpa'), /no-such-model/);
  assert.ok(plain.words.every((word) => word.speaker === null));
  assert.ok(heard({ speakers: 1 }).words.some((word) => word.speaker === 1));
});

test('a session tells its events and stops', async () => {
  const session = engine.live({ endpoint_ms: 0, chunk_ms: 2 ** 32 - 1, realtime_priority: false, buffer_ms: 60000 });
  const taken = (async () => {
    const events = [];
    for await (const event of session) events.push(event);
    return events;
  })();
  for (let at = 0; at < pcm.length; at += 3200) session.push(pcm.subarray(at, at + 3200));
  session.stop();
  const events = await taken;
  assert.deepStrictEqual(events.at(-1), { kind: 'state', state: 'stopped' });
  assert.ok(events.some((event) => event.kind === 'state' && event.state === 'live'));
  const finals = events.filter((event) => event.kind === 'final');
  assert.deepStrictEqual(finals.map((final) => final.text), [expected.text]);
  assert.strictEqual(session.state, 'stopped');
  assert.throws(() => session.push(pcm), /ended/);
  await session.close();
  assert.throws(() => session.finalize(), LinnetError);
});

test('a session changes while it runs, and is closed while somebody waits', async () => {
  const session = engine.live({ realtime_priority: false });
  const hotwords = engine.hotwords([{ phrase: 'zebra', boost: 3, sounds_like: [surestOf(expected)] }]);
  session.setHotwords(hotwords);
  session.setFormat({ replace: [['zebra', 'zounds']] });
  session.setPolicy('dictation');
  session.setGrammar(null);
  for (let at = 0; at < pcm.length; at += 3200) session.push(pcm.subarray(at, at + 3200));
  session.finalize();
  let final = null;
  for await (const event of session) {
    if (event.kind === 'final' && event.from_finalize) {
      final = event;
      break;
    }
  }
  assert.match(final.written, /zounds/);
  const waits = session.next(500);
  await session.close();
  await waits;
  assert.strictEqual(await session.next(), null);
  hotwords.close();
  assert.throws(() => engine.live({ microphone: 'no such microphone', buffer_ms: 1 }), /buffer_ms/);
});

test('mistakes are errors', () => {
  assert.throws(() => new Engine('no-such-model'), /no-such-model/);
  assert.throws(() => engine.stream({ nothing: 1 }), /no setting/);
  assert.throws(() => engine.stream({ sample_rate_hz: 3 }), LinnetError);
  assert.throws(() => engine.grammar('nothing'), /line 1/);
  assert.throws(() => engine.stream().push([1, 2]), TypeError);
  assert.throws(() => engine.stream().push(Float32Array.of(NaN)), /finite/);
});
