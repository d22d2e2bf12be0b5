/** Linnet: embedded, on-device streaming speech recognition. Times are in milliseconds. */

export interface Word {
  text: string;
  start_ms: number;
  end_ms: number;
  confidence: number;
  /** Who says it, counted from 1; null where speakers are not told apart, or can't be yet. */
  speaker: number | null;
}

export interface Slot {
  name: string;
  value: string;
  start_ms: number;
  end_ms: number;
  confidence: number;
}

export interface Interpretation {
  intent: string | null;
  accepted: boolean;
  margin: number;
  slots: Slot[];
}

interface Hypothesis {
  start_ms: number;
  end_ms: number;
  text: string;
  words: Word[];
  written: string;
  written_words: Word[];
  confirmed: number;
  confidence: number;
  sequence: number;
}

export interface Interim extends Hypothesis {
  kind: 'interim';
}

export interface Final extends Hypothesis {
  kind: 'final';
  speech_final: boolean;
  from_finalize: boolean;
  alternatives: { text: string; score: number }[];
  interpretation: Interpretation | null;
}

export interface Other {
  kind: 'speech_started' | 'utterance_end' | 'gap';
  start_ms: number;
  end_ms: number;
}

export type Event = Interim | Final | Other;

/** What only sessions tell. */
export type SessionEvent =
  | { kind: 'state'; state: State }
  | { kind: 'trouble' | 'notice'; start_ms: number; end_ms: number; text: string }
  | { kind: 'dead_microphone' | 'microphone_alive'; start_ms: number; end_ms: number };

export type State = 'connecting' | 'live' | 'reconnecting' | 'stopped';

export interface Hotword {
  phrase: string;
  boost?: number;
  sounds_like?: string[];
}

export interface Format {
  numerals?: boolean;
  smart?: boolean;
  punctuate?: boolean;
  profanity_filter?: boolean;
  redact?: ('numbers' | 'all_numbers' | 'cards' | 'ssn')[];
  replace?: [said: string, written: string][];
}

export interface PolicyFields {
  endpoint_ms?: number;
  adaptive?: 0 | 1;
  unfinished_ms?: number;
  utterance_end_ms?: number;
  max_utterance_ms?: number;
}

/** Fields of linnet_stream_config_t. */
export interface StreamOptions {
  sample_rate_hz?: number;
  channels?: number;
  chunk_ms?: number;
  interim_results?: 0 | 1;
  interim_interval_ms?: number;
  endpoint_ms?: number;
  max_utterance_ms?: number;
  adaptive_endpointing?: 0 | 1;
  unfinished_ms?: number;
  utterance_end_ms?: number;
  gate?: 0 | 1;
  second_pass?: 0 | 1;
  beam_width?: number;
  alternatives?: number;
  speakers?: number;
  speaker_threshold?: number;
  /** Without one the one in the model file counts; with false none. */
  language_model?: LanguageModel | false | null;
  hotwords?: Hotwords | null;
  grammar?: Grammar | null;
  format?: Format | null;
}

export interface LiveOptions extends StreamOptions {
  /** Whether the library captures, and from which microphone: an id or a part of its name. */
  microphone?: boolean | string;
  buffer_ms?: number;
  realtime_priority?: boolean;
}

export type Preset = 'conversation' | 'command' | 'dictation' | 'drive_thru' | 'phone';

declare class Handle {
  close(): void;
}

export class Hotwords extends Handle {
  readonly rejected: { phrase: string; spelling: string; reason: string }[];
}

export class Grammar extends Handle {}

export class LanguageModel extends Handle {}

export class Stream extends Handle {
  push(samples: Float32Array | Int16Array | Uint8Array): Event[];
  events(): Event[];
  finalize(): Event[];
  finish(): Event[];
  reset(): void;
  setHotwords(hotwords: Hotwords | null): void;
  setGrammar(grammar: Grammar | null): void;
  setFormat(format: Format | null): void;
  setPolicy(policy: Preset | PolicyFields): void;
}

export class Live {
  readonly state: State;
  push(samples: Float32Array | Int16Array | Uint8Array): void;
  next(timeout_ms?: number): Promise<Event | SessionEvent | null>;
  [Symbol.asyncIterator](): AsyncIterator<Event | SessionEvent>;
  finalize(): void;
  stop(): void;
  close(): Promise<void>;
  setHotwords(hotwords: Hotwords | null): void;
  setGrammar(grammar: Grammar | null): void;
  setFormat(format: Format | null): void;
  setPolicy(policy: Preset | PolicyFields): void;
}

export class Engine extends Handle {
  constructor(model: string | Uint8Array);
  stream(options?: StreamOptions): Stream;
  hotwords(phrases: (string | Hotword)[]): Hotwords;
  grammar(source: string, options?: { rejection?: number; letter_reward?: number }): Grammar;
  languageModel(source: string | Uint8Array, options?: { weight?: number; token_reward?: number }): LanguageModel;
  live(options?: LiveOptions): Live;
  transcribeFile(path: string, options?: StreamOptions): Final;
}

export class LinnetError extends Error {
  readonly status: number;
}

export const version: string;
