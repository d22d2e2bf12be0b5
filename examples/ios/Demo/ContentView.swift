import AVFoundation
import Linnet
import SwiftUI

/// Shows what is said, as it is said. NSMicrophoneUsageDescription must be in the app's Info.plist, and the model
/// linnet-en.linnet among its resources.
@main
struct DemoApp: App {
    @StateObject private var listener = Listener()

    var body: some Scene {
        WindowGroup {
            ScrollView { Text(listener.text).font(.title).padding() }
                .onAppear { listener.start() }
        }
    }
}

final class Listener: ObservableObject {
    @Published var text = "…"
    private let audio = AVAudioEngine()
    private let queue = DispatchQueue(label: "linnet")
    private var stream: Linnet.Stream?

    func start() {
        AVAudioSession.sharedInstance().requestRecordPermission { allowed in
            DispatchQueue.main.async {
                guard allowed else { self.text = "Linnet needs the microphone."; return }
                do { try self.listen() } catch { self.text = "\(error)" }
            }
        }
    }

    private func listen() throws {
        try AVAudioSession.sharedInstance().setCategory(.record, mode: .measurement)
        try AVAudioSession.sharedInstance().setActive(true)
        guard let model = Bundle.main.path(forResource: "linnet-en", ofType: "linnet") else {
            text = "linnet-en.linnet is not among the resources of the app."
            return
        }
        let format = audio.inputNode.outputFormat(forBus: 0)
        let stream = try Engine(path: model).stream(sampleRateHz: UInt32(format.sampleRate))
        try stream.setSmartFormat(true)
        self.stream = stream
        audio.inputNode.installTap(onBus: 0, bufferSize: 4096, format: format) { [weak self] buffer, _ in
            guard let channel = buffer.floatChannelData?[0] else { return }
            let samples = Array(UnsafeBufferPointer(start: channel, count: Int(buffer.frameLength)))
            self?.queue.async { self?.take(samples) }
        }
        try audio.start()
    }

    private func take(_ samples: [Float]) {
        guard let stream else { return }
        do {
            try samples.withUnsafeBufferPointer { try stream.push($0) }
            while let event = try stream.poll() {
                switch event {
                case .interim(let words, _, _): show(words)
                case .final(_, let written, _, _): show(written)
                default: break
                }
            }
        } catch {
            show("\(error)")
        }
    }

    private func show(_ words: String) {
        DispatchQueue.main.async { self.text = words }
    }
}
