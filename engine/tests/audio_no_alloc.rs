//! What runs per block of audio allocates nothing once warm: the ring on both sides, the resampler, the features.

mod counting;

use counting::allocations;
use linnet::audio::resample::Resampler;
use linnet::audio::ring::ring;
use linnet::features::LogMel;
use linnet::model::config::FeatureConfig;

#[test]
fn ring_of_blocks() {
    let (mut producer, mut consumer) = ring(480, 8);
    let mut out = Vec::with_capacity(480);
    let calls = allocations(|| {
        for size in (1..2000).step_by(37) {
            producer.push(&[0.25f32; 2000][..size]);
            producer.push(&[1i16; 100]);
            producer.flush();
            producer.skip(5);
            // Slow enough to let the ring overflow.
            out.clear();
            consumer.pop(&mut out);
        }
        assert!(producer.dropped() > 480);
        // The block and the end reach the consumer without allocations as well.
        drop(producer);
        while !consumer.is_finished() {
            out.clear();
            consumer.pop(&mut out);
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn resampler() {
    for rate_hz in [8_000, 16_000, 44_100, 48_000, 192_000] {
        let mut resampler = Resampler::new(rate_hz, 2, 16_000).unwrap();
        let mut out = Vec::with_capacity(48_000);
        let calls = allocations(|| {
            for size in (0..3_000).step_by(171) {
                out.clear();
                resampler.push(&[0.25f32; 3_000][..size], &mut out);
            }
            out.clear();
            resampler.finish(&mut out);
        });
        assert_eq!(calls, 0, "{rate_hz} Hz");
    }
}

#[test]
fn features() {
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
    let mut out = Vec::with_capacity(80 * 100);
    let calls = allocations(|| {
        for size in (0..8_000).step_by(171) {
            out.clear();
            log_mel.push(&[0.25; 8_000][..size], &mut out);
        }
        out.clear();
        log_mel.finish(&mut out);
    });
    assert_eq!(calls, 0);
}
