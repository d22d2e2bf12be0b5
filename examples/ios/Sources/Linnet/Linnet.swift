import CLinnet
import Foundation

/// A call failed.
public struct LinnetError: Error, CustomStringConvertible {
    public let status: linnet_status_t
    public let description: String

    init(_ status: linnet_status_t) {
        self.status = status
        description = String(cString: linnet_last_error())
    }
}

private func check(_ status: linnet_status_t) throws {
    if status != LINNET_OK { throw LinnetError(status) }
}

/// A recognized word, where it is in the stream in milliseconds, and how sure the recognizer is of it, 0 to 1.
public struct Word {
    public let text: String
    public let startMs: UInt64
    public let endMs: UInt64
    public let confidence: Float
}

/// What an utterance means in a grammar.
public struct Interpretation {
    public let intent: String?
    public let slots: [(name: String, value: String)]
    public let accepted: Bool
}

/// Something that happened in a stream.
public enum Event {
    case speechStarted(atMs: UInt64)
    case interim(text: String, words: [Word], confirmed: Int)
    case final(text: String, written: String, words: [Word], interpretation: Interpretation?)
    case utteranceEnd(lastWordEndMs: UInt64)
    case gap(startMs: UInt64, endMs: UInt64)

    init?(_ event: linnet_event_t) {
        let text = event.text.map { String(cString: $0) } ?? ""
        let words = UnsafeBufferPointer(start: event.words, count: event.words_len).map {
            Word(text: String(cString: $0.text), startMs: $0.start_ms, endMs: $0.end_ms, confidence: $0.confidence)
        }
        switch event.kind {
        case LINNET_EVENT_SPEECH_STARTED: self = .speechStarted(atMs: event.start_ms)
        case LINNET_EVENT_INTERIM: self = .interim(text: text, words: words, confirmed: event.confirmed)
        case LINNET_EVENT_FINAL:
            let slots = UnsafeBufferPointer(start: event.slots, count: event.slots_len).map {
                (name: String(cString: $0.name), value: String(cString: $0.value))
            }
            let intent = event.intent.map { String(cString: $0) }
            let meaning = Interpretation(intent: intent, slots: slots, accepted: event.accepted)
            self = .final(
                text: text, written: String(cString: event.written), words: words,
                interpretation: event.interpreted ? meaning : nil)
        case LINNET_EVENT_UTTERANCE_END: self = .utteranceEnd(lastWordEndMs: event.end_ms)
        case LINNET_EVENT_GAP: self = .gap(startMs: event.start_ms, endMs: event.end_ms)
        default: return nil
        }
    }
}

/// An opened model. Share it between streams and threads.
public final class Engine {
    let handle: linnet_engine_t

    public init(path: String) throws {
        var handle: linnet_engine_t = 0
        try check(linnet_engine_open(path, &handle))
        self.handle = handle
    }

    deinit { _ = linnet_engine_free(handle) }

    /// Starts a stream of mono samples.
    public func stream(sampleRateHz: UInt32 = 16000) throws -> Stream {
        try Stream(engine: self, sampleRateHz: sampleRateHz)
    }
}

/// One stream of audio: push samples, then take the events that came of them. Calls take turns.
public final class Stream {
    private let engine: Engine
    private let handle: linnet_stream_t

    init(engine: Engine, sampleRateHz: UInt32) throws {
        var config = linnet_stream_config_t()
        config.size = MemoryLayout<linnet_stream_config_t>.size
        try check(linnet_stream_config_init(&config))
        config.sample_rate_hz = sampleRateHz
        var handle: linnet_stream_t = 0
        try check(linnet_stream_new(engine.handle, &config, &handle))
        self.engine = engine
        self.handle = handle
    }

    deinit { _ = linnet_stream_free(handle) }

    /// Takes mono samples in -1 to 1.
    public func push(_ samples: UnsafeBufferPointer<Float>) throws {
        try check(linnet_stream_push_f32(handle, samples.baseAddress, samples.count))
    }

    /// Takes mono samples of 16 bits.
    public func push(_ samples: [Int16]) throws {
        try check(linnet_stream_push_i16(handle, samples, samples.count))
    }

    /// The next event, or nil when there is none until more is pushed.
    public func poll() throws -> Event? {
        var event = linnet_event_t()
        event.size = MemoryLayout<linnet_event_t>.size
        repeat {
            try check(linnet_stream_poll(handle, &event))
            if let known = Event(event) { return known }
        } while event.kind != LINNET_EVENT_NONE
        return nil
    }

    /// Makes a final of what was pushed so far; the stream goes on.
    public func finalize() throws { try check(linnet_stream_finalize(handle)) }

    /// Makes a final of what was pushed so far, and ends the stream.
    public func finish() throws { try check(linnet_stream_finish(handle)) }

    /// Listens for phrases, or for none. Boosts of 0.5 to 1.5 suit most; 0 takes the default, 0.8.
    public func setHotwords(_ phrases: [String], boost: Float = 0) throws {
        let strings = phrases.map { strdup($0) }
        defer { strings.forEach { free($0) } }
        let list = strings.map {
            linnet_hotword_t(phrase: $0, boost: boost, reserved: 0, sounds_like: nil, sounds_like_len: 0)
        }
        var hotwords: linnet_hotwords_t = 0
        try check(linnet_hotwords_new(engine.handle, list, list.count, &hotwords))
        defer { _ = linnet_hotwords_free(hotwords) }
        try check(linnet_stream_set_hotwords(handle, hotwords))
    }

    /// Keeps to a grammar in JSGF, or with nil to none.
    public func setGrammar(_ source: String?) throws {
        var grammar: linnet_grammar_t = 0
        if let source { try check(linnet_grammar_new(engine.handle, source, nil, &grammar)) }
        defer { _ = linnet_grammar_free(grammar) }
        try check(linnet_stream_set_grammar(handle, grammar))
    }

    /// Writes numbers, money, times and the like as a reader expects them, with capitals.
    public func setSmartFormat(_ on: Bool) throws {
        var format = linnet_format_config_t()
        format.size = MemoryLayout<linnet_format_config_t>.size
        try check(linnet_format_config_init(&format))
        format.smart = on ? 1 : 0
        format.punctuate = on ? 1 : 0
        try check(linnet_stream_set_format(handle, &format))
    }
}
