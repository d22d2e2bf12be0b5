import Foundation
import XCTest

@testable import Linnet

/// Run in a checkout: the model and the clip are taken from it.
final class LinnetTests: XCTestCase {
    func testAClipIsRecognized() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../../..")
        let engine = try Engine(path: root.appendingPathComponent("models/linnet-en.linnet").path)
        let wav = try Data(contentsOf: root.appendingPathComponent("engine/tests/data/speech/formats/speech.wav"))
        let samples = wav.dropFirst(44).withUnsafeBytes { bytes in
            (0..<bytes.count / 2).map { Int16(littleEndian: bytes.loadUnaligned(fromByteOffset: 2 * $0, as: Int16.self)) }
        }
        let stream = try engine.stream()
        try stream.push(samples)
        try stream.finish()
        var finals: [String] = []
        while let event = try stream.poll() {
            if case .final(let text, _, let words, _) = event {
                XCTAssertEqual(words.map(\.text).joined(separator: " "), text)
                finals.append(text)
            }
        }
        XCTAssertFalse(finals.joined().isEmpty)
        XCTAssertThrowsError(try stream.push(samples))
        XCTAssertThrowsError(try Engine(path: "no such file"))
    }
}
