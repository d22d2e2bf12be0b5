//! The log-mel front end against features that models/parity/features.py has computed.

use linnet::audio::formats::AudioFile;
use linnet::features::LogMel;
use linnet::model::config::FeatureConfig;

#[test]
fn matches_the_reference() {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
    let mut file = AudioFile::open(format!("{data}/speech/formats/speech.wav")).unwrap();
    let mut log_mel = LogMel::new(&FeatureConfig {
        sample_rate_hz: 16000,
        fft: 512,
        window: 400,
        hop: 160,
        mel_bins: 80,
        low_hz: 0.0,
        high_hz: 8000.0,
        preemphasis: 0.97,
    })
    .unwrap();
    let mut features = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        log_mel.push(block, &mut features);
    }
    log_mel.finish(&mut features);
    let reference = std::fs::read(format!("{data}/features/speech.f32")).unwrap();
    let reference: Vec<f32> = reference.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(features.len(), reference.len());
    for (i, (got, want)) in features.iter().zip(&reference).enumerate() {
        assert!((got - want).abs() < 1e-3, "frame {}, bin {}: {got}, expected {want}", i / 80, i % 80);
    }
}
