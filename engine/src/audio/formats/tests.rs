use std::io::Cursor;

use super::*;

/// Decodes to the end.
fn decode(file: Result<AudioFile, AudioFileError>) -> (Vec<f32>, Damage) {
    let mut file = file.unwrap();
    let channels = file.channels();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        assert!(!block.is_empty() && block.len().is_multiple_of(channels));
        samples.extend_from_slice(block);
    }
    assert!(file.next_block().unwrap().is_none());
    (samples, file.damage())
}

fn from_bytes(bytes: Vec<u8>) -> Result<AudioFile, AudioFileError> {
    AudioFile::from_reader(Cursor::new(bytes), None)
}

fn chunk(id: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = [&id[..], &(data.len() as u32).to_le_bytes(), data].concat();
    chunk.resize(chunk.len().next_multiple_of(2), 0);
    chunk
}

fn format_chunk(tag: u16, channels: u16, rate_hz: u32, bits: u16) -> Vec<u8> {
    let frame = channels * (bits / 8);
    let fields = [
        &tag.to_le_bytes()[..],
        &channels.to_le_bytes(),
        &rate_hz.to_le_bytes(),
        &(rate_hz * u32::from(frame)).to_le_bytes(),
        &frame.to_le_bytes(),
        &bits.to_le_bytes(),
    ];
    chunk(b"fmt ", &fields.concat())
}

fn wav(chunks: &[Vec<u8>]) -> Vec<u8> {
    let body = [&b"WAVE"[..], &chunks.concat()].concat();
    [&b"RIFF"[..], &(body.len() as u32).to_le_bytes(), &body].concat()
}

/// An encoding, its format tag and bits in a WAV header, bytes, and the samples that they stand for.
type Encoded = (Encoding, u16, u16, Vec<u8>, Vec<f32>);

/// -1, -0.5, 0 and 0.5 in each encoding.
fn encoded() -> Vec<Encoded> {
    let values = [-1.0f64, -0.5, 0.0, 0.5];
    let bytes = |encode: &dyn Fn(f64) -> Vec<u8>| values.iter().flat_map(|&x| encode(x)).collect::<Vec<u8>>();
    let exact: Vec<f32> = values.iter().map(|&x| x as f32).collect();
    vec![
        (Encoding::U8, 1, 8, bytes(&|x| vec![(128.0 + x * 128.0) as u8]), exact.clone()),
        (Encoding::I16, 1, 16, bytes(&|x| ((x * 32768.0) as i16).to_le_bytes().into()), exact.clone()),
        (Encoding::I24, 1, 24, bytes(&|x| ((x * 8388608.0) as i32).to_le_bytes()[..3].into()), exact.clone()),
        (Encoding::I32, 1, 32, bytes(&|x| ((x * 2147483648.0) as i32).to_le_bytes().into()), exact.clone()),
        (Encoding::F32, 3, 32, bytes(&|x| (x as f32).to_le_bytes().into()), exact.clone()),
        (Encoding::F64, 3, 64, bytes(&|x| x.to_le_bytes().into()), exact),
        (Encoding::ALaw, 6, 8, vec![0x2a, 0xaa], vec![-32256.0 / 32768.0, 32256.0 / 32768.0]),
        (Encoding::MuLaw, 7, 8, vec![0x00, 0x80], vec![-32124.0 / 32768.0, 32124.0 / 32768.0]),
    ]
}

#[test]
fn wav_and_raw_in_every_encoding() {
    for (encoding, tag, bits, bytes, expected) in encoded() {
        for channels in [1, 2] {
            let file = wav(&[format_chunk(tag, channels, 8000, bits), chunk(b"data", &bytes)]);
            let (samples, damage) = decode(from_bytes(file));
            assert_eq!(samples, expected, "WAV {encoding:?}");
            assert!(damage.is_none());
            let format = RawFormat { rate_hz: 8000, channels: channels.into(), encoding };
            let (samples, damage) = decode(AudioFile::raw_from_reader(Cursor::new(bytes.clone()), format));
            assert_eq!(samples, expected, "raw {encoding:?}");
            assert!(damage.is_none());
        }
    }
}

#[test]
fn wav_headers_of_all_kinds() {
    let samples = 0.5f32.to_le_bytes().repeat(5);
    // Extensible: the format tag is the start of an identifier.
    let mut extensible = format_chunk(0xfffe, 1, 16000, 32);
    extensible.extend([22, 0, 32, 0, 0, 0, 0, 0, 3, 0]);
    extensible.extend([0; 14]);
    extensible[4] = 40;
    let odd_chunk = chunk(b"LIST", b"odd");
    let file = from_bytes(wav(&[odd_chunk, extensible, chunk(b"data", &samples)])).unwrap();
    assert_eq!((file.rate_hz(), file.channels()), (16000, 1));
    assert_eq!(file.duration(), Some(Duration::from_secs_f64(5.0 / 16000.0)));
    assert_eq!(decode(Ok(file)).0, [0.5; 5]);
    // Lengths that the writer could not go back to fill in.
    for len in [0, u32::MAX] {
        let mut data = chunk(b"data", &samples);
        data[4..8].copy_from_slice(&len.to_le_bytes());
        let file = from_bytes(wav(&[format_chunk(3, 1, 16000, 32), data])).unwrap();
        assert_eq!(file.duration(), None);
        assert_eq!(decode(Ok(file)), (vec![0.5; 5], Damage::default()));
    }
    // What follows the samples is not one of them.
    let file = wav(&[format_chunk(3, 1, 16000, 32), chunk(b"data", &samples), chunk(b"LIST", &[7; 100])]);
    assert_eq!(decode(from_bytes(file)).0, [0.5; 5]);
}

#[test]
fn a_truncated_wav_gives_what_is_there() {
    let samples: Vec<u8> = (0..10_000i16).flat_map(|i| i.to_le_bytes()).collect();
    let whole = wav(&[format_chunk(1, 2, 16000, 16), chunk(b"data", &samples)]);
    let header = whole.len() - samples.len();
    for kept in [0, 1, 3, 4, 5, 8, 16_383, 16_384, 16_385, 19_999] {
        let (decoded, damage) = decode(from_bytes(whole[..header + kept].to_vec()));
        let expected: Vec<f32> = (0..(kept / 4 * 2) as i16).map(|i| f32::from(i) / 32768.0).collect();
        assert_eq!(decoded, expected, "{kept} bytes of samples");
        assert!(damage.truncated);
    }
    for cut in 12..header {
        assert!(matches!(from_bytes(whole[..cut].to_vec()), Err(AudioFileError::Header { .. })), "cut at {cut}");
    }
}

#[test]
fn refuses_what_is_not_audio() {
    assert!(matches!(from_bytes(Vec::new()), Err(AudioFileError::Empty)));
    assert!(matches!(from_bytes(b"a".to_vec()), Err(AudioFileError::NotAudio)));
    assert!(matches!(from_bytes(b"plain text, again and again. ".repeat(500)), Err(AudioFileError::NotAudio)));
    assert!(matches!(AudioFile::open("/no/such/file.wav"), Err(AudioFileError::Open { .. })));
    let bad = |format: Vec<u8>| from_bytes(wav(&[format, chunk(b"data", &[0; 64])]));
    assert!(matches!(bad(format_chunk(1, 1, 4000, 16)), Err(AudioFileError::Rate { rate_hz: 4000 })));
    assert!(matches!(bad(format_chunk(1, 1, 384_000, 16)), Err(AudioFileError::Rate { .. })));
    assert!(matches!(bad(format_chunk(1, 0, 16_000, 16)), Err(AudioFileError::Channels { channels: 0 })));
    assert!(matches!(bad(format_chunk(1, 100, 16_000, 16)), Err(AudioFileError::Channels { channels: 100 })));
    assert!(matches!(bad(format_chunk(17, 1, 16_000, 4)), Err(AudioFileError::UnsupportedCodec { .. })));
    let no_format = from_bytes(wav(&[chunk(b"data", &[0; 64])]));
    assert!(matches!(no_format, Err(AudioFileError::Header { .. })));
}

#[test]
fn an_error_of_the_reader_comes_after_what_was_read() {
    struct Broken(usize);
    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 0 {
                return Err(std::io::Error::other("unplugged"));
            }
            let len = buffer.len().min(self.0).min(7);
            buffer[..len].fill(0);
            self.0 -= len;
            Ok(len)
        }
    }
    let format = RawFormat { rate_hz: 16000, channels: 1, encoding: Encoding::I16 };
    let mut file = AudioFile::raw_from_reader(Broken(100), format).unwrap();
    let mut samples = 0;
    let error = loop {
        match file.next_block() {
            Ok(block) => samples += block.expect("the reader breaks before it ends").len(),
            Err(error) => break error,
        }
    };
    assert_eq!(samples, 50);
    assert!(matches!(error, AudioFileError::Read { .. }));
}

#[cfg(feature = "formats")]
mod compressed {
    use super::*;

    const SPEECH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/speech");

    fn speech(name: &str) -> Vec<u8> {
        std::fs::read(format!("{SPEECH}/{name}")).unwrap()
    }

    fn reference() -> Vec<f32> {
        decode(AudioFile::open(format!("{SPEECH}/formats/speech.wav"))).0
    }

    #[test]
    fn flac_is_lossless() {
        let file = AudioFile::open(format!("{SPEECH}/formats/speech.flac")).unwrap();
        assert_eq!((file.rate_hz(), file.channels()), (16000, 1));
        assert_eq!(file.duration(), Some(Duration::from_millis(2736)));
        let (samples, damage) = decode(Ok(file));
        assert!(samples == reference(), "differs from the WAV");
        assert!(damage.is_none());
    }

    #[test]
    fn vorbis_is_what_the_wav_was_made_from() {
        let file = AudioFile::open(format!("{SPEECH}/sample-002120.ogg")).unwrap();
        assert_eq!((file.rate_hz(), file.channels()), (16000, 1));
        let (samples, damage) = decode(Ok(file));
        let reference = reference();
        assert_eq!(samples.len(), reference.len());
        assert!(samples.iter().zip(&reference).all(|(a, b)| (a - b).abs() < 1e-4));
        assert!(damage.is_none());
    }

    #[test]
    fn mp3_is_the_same_speech() {
        let file = AudioFile::open(format!("{SPEECH}/formats/speech.mp3")).unwrap();
        assert_eq!((file.rate_hz(), file.channels()), (44100, 2));
        let (samples, damage) = decode(Ok(file));
        assert!(damage.is_none());
        let mut resampler = crate::audio::resample::Resampler::new(44100, 2, 16000).unwrap();
        let mut mono = Vec::new();
        resampler.push(&samples, &mut mono);
        resampler.finish(&mut mono);
        let reference = reference();
        // The delay of the encoder is taken off, and lossy coding keeps the wave: within a sample of its place.
        assert!(mono.len().abs_diff(reference.len()) < 800, "{} samples", mono.len());
        let energy: f32 = reference.iter().map(|x| x * x).sum();
        let error: f32 = reference.iter().zip(&mono).map(|(a, b)| (a - b) * (a - b)).sum();
        assert!(error * 5.0 < energy, "{} dB", 10.0 * (energy / error).log10());
    }

    #[test]
    fn streams_decode_as_files_do() {
        for name in ["formats/speech.wav", "formats/speech.flac", "formats/speech.mp3", "sample-002120.ogg"] {
            let file = decode(AudioFile::open(format!("{SPEECH}/{name}"))).0;
            let stream = decode(from_bytes(speech(name))).0;
            assert!(stream.len() >= file.len(), "{name}");
            // The length of an MP3 without its end in sight may include padding.
            assert!(stream[..file.len()] == file, "{name}");
        }
    }

    #[test]
    fn truncated_files_give_what_is_there() {
        for name in ["formats/speech.flac", "formats/speech.mp3", "1272-128104-0000.ogg"] {
            let bytes = speech(name);
            let whole = decode(from_bytes(bytes.clone())).0;
            let (part, damage) = decode(from_bytes(bytes[..bytes.len() / 2].to_vec()));
            assert!(damage.truncated, "{name}");
            assert!(part.len() * 4 > whole.len() && part.len() < whole.len(), "{name}: {} samples", part.len());
            assert!(part == whole[..part.len()], "{name}");
        }
    }

    #[test]
    fn a_file_cut_off_in_its_header_is_told_from_what_is_not_audio() {
        for name in ["formats/speech.flac", "formats/speech.mp3", "sample-002120.ogg"] {
            let error = from_bytes(speech(name)[..40].to_vec()).err().unwrap();
            assert!(matches!(error, AudioFileError::Header { .. }), "{name}: {error}");
        }
    }

    #[test]
    fn damage_in_the_middle_costs_what_it_hits() {
        // The samples of an MP3 carry no checksum: what is hit is heard.
        for (name, told) in
            [("formats/speech.flac", true), ("formats/speech.mp3", false), ("1272-128104-0000.ogg", true)]
        {
            let bytes = speech(name);
            let channels = from_bytes(bytes.clone()).unwrap().channels();
            let whole = decode(from_bytes(bytes.clone())).0;
            let mut broken = bytes;
            let middle = broken.len() / 2;
            broken[middle..middle + 64].fill(0x55);
            let (samples, damage) = decode(from_bytes(broken));
            assert!(damage.packets > 0 || !told, "{name}: {damage:?}");
            assert!(samples.len().abs_diff(whole.len()) < 2000 * channels, "{name}: {} samples", samples.len());
            let quarter = whole.len() / 4;
            assert!(samples[..quarter] == whole[..quarter], "{name}: nothing is lost before the damage");
        }
    }

    #[test]
    fn random_damage_never_panics() {
        let mut state = 7u32;
        let mut random = |below: usize| {
            state = state.wrapping_mul(1664525).wrapping_add(1013904223);
            (state >> 8) as usize % below
        };
        let names = ["formats/speech.flac", "formats/speech.mp3", "sample-002120.ogg", "formats/speech.wav"];
        for name in names.into_iter().chain(cfg!(feature = "opus").then_some("formats/speech.opus")) {
            let bytes = speech(name);
            for _ in 0..25 {
                let mut broken = bytes.clone();
                for _ in 0..=random(20) {
                    let at = random(broken.len());
                    broken[at] = random(256) as u8;
                }
                broken.truncate(random(broken.len()) + 1);
                // Half of the damage goes into the header.
                let at = random(64.min(broken.len()));
                broken[at] = random(256) as u8;
                if let Ok(mut file) = from_bytes(broken) {
                    while let Ok(Some(_)) = file.next_block() {}
                }
            }
        }
    }

    #[cfg(not(feature = "opus"))]
    #[test]
    fn names_the_codec_that_is_missing() {
        let error = from_bytes(ogg_opus()).err().unwrap();
        assert!(matches!(&error, AudioFileError::UnsupportedCodec { codec } if codec == "Opus"), "{error}");
    }

    #[cfg(feature = "opus")]
    mod opus {
        use super::*;

        /// How much of a reference is missing or added, in energy.
        fn distance(samples: &[f32], rate_hz: u32) -> f32 {
            let mut resampler = crate::audio::resample::Resampler::new(rate_hz, 1, 16000).unwrap();
            let mut mono = Vec::new();
            resampler.push(samples, &mut mono);
            resampler.finish(&mut mono);
            let reference = reference();
            assert!(mono.len().abs_diff(reference.len()) < 1000, "{} samples", mono.len());
            let energy: f32 = reference.iter().map(|x| x * x).sum();
            reference.iter().zip(&mono).map(|(a, b)| (a - b) * (a - b)).sum::<f32>() / energy
        }

        #[test]
        fn ogg_opus_is_the_same_speech_at_the_same_time() {
            for file in [
                AudioFile::open(format!("{SPEECH}/formats/speech.opus")).unwrap(),
                from_bytes(speech("formats/speech.opus")).unwrap(),
            ] {
                assert_eq!((file.rate_hz(), file.channels()), (48000, 1));
                if let Some(duration) = file.duration() {
                    assert_eq!(duration, Duration::from_millis(2736));
                }
                let (samples, damage) = decode(Ok(file));
                assert!(damage.is_none(), "{damage:?}");
                assert_eq!(samples.len(), 2736 * 48, "neither what settles the decoder nor its padding");
                let distance = distance(&samples, 48000);
                assert!(distance < 0.2, "{distance}");
            }
        }

        #[test]
        fn what_a_browser_records_is_read() {
            // Of a microphone that was fed from the file, so in stereo and with some silence around it.
            let file = from_bytes(speech("formats/speech.webm")).unwrap();
            assert_eq!((file.rate_hz(), file.channels(), file.duration()), (48000, 2, None));
            let (both, damage) = decode(Ok(file));
            assert!(damage.is_none(), "{damage:?}");
            let samples: Vec<f32> = both.iter().step_by(2).copied().collect();
            assert!((3.0..3.3).contains(&(samples.len() as f64 / 48_000.0)), "{} samples", samples.len());
            let energy = |samples: &[f32]| samples.iter().map(|x| x * x).sum::<f32>();
            let loudness = energy(&samples) / 3.0 / energy(&reference());
            assert!((0.5..2.0).contains(&loudness), "{loudness}");
            let half = decode(from_bytes(speech("formats/speech.webm")[..4000].to_vec())).0;
            assert!(half == both[..half.len()] && half.len() > 48_000);
        }

        #[test]
        fn damage_to_opus_costs_what_it_hits() {
            let bytes = speech("formats/speech.opus");
            let whole = decode(from_bytes(bytes.clone())).0;
            let (part, damage) = decode(from_bytes(bytes[..bytes.len() / 2].to_vec()));
            assert!(damage.truncated && part.len() * 4 > whole.len(), "{} samples", part.len());
            let mut broken = bytes;
            let middle = broken.len() / 2;
            broken[middle..middle + 64].fill(0x55);
            // Packets carry no checksum: what is hit is heard, or told.
            let samples = decode(from_bytes(broken)).0;
            assert!(samples.len().abs_diff(whole.len()) < 48_000 * 2, "{} samples", samples.len());
        }

        #[test]
        fn an_empty_opus_file_has_its_packet() {
            let (samples, damage) = decode(from_bytes(ogg_opus()));
            assert_eq!((samples, damage), (vec![0.0; 960], Damage::default()));
            // More channels than are decoded.
            let mut many = ogg_opus();
            let head = [&b"OpusHead"[..], &[1, 6, 0, 0], &48000u32.to_le_bytes(), &[0, 0, 1, 4, 2, 0, 4, 1, 2, 3, 5]];
            let head = page(2, 0, 0, &head.concat());
            many.splice(..47, head);
            let error = from_bytes(many).err().unwrap();
            assert!(matches!(&error, AudioFileError::UnsupportedCodec { codec } if codec == "Opus"), "{error}");
        }
    }

    /// The first pages of an Ogg Opus file (RFC 7845), and an empty packet.
    fn ogg_opus() -> Vec<u8> {
        let head = [&b"OpusHead"[..], &[1, 1, 0, 0], &48000u32.to_le_bytes(), &[0, 0, 0]].concat();
        let tags = [&b"OpusTags"[..], &4u32.to_le_bytes(), b"test", &0u32.to_le_bytes()].concat();
        [page(2, 0, 0, &head), page(0, 0, 1, &tags), page(4, 960, 2, &[0xf8, 0xff, 0xfe])].concat()
    }

    /// One page of Ogg with one packet (RFC 3533).
    fn page(flags: u8, position: u64, sequence: u32, packet: &[u8]) -> Vec<u8> {
        let mut page = [
            &b"OggS"[..],
            &[0, flags],
            &position.to_le_bytes(),
            &1u32.to_le_bytes(),
            &sequence.to_le_bytes(),
            &[0; 4],
            &[1, packet.len() as u8],
            packet,
        ]
        .concat();
        let crc = page.iter().fold(0u32, |crc, &byte| {
            (0..8).fold(
                crc ^ u32::from(byte) << 24,
                |crc, _| {
                    if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 }
                },
            )
        });
        page[22..26].copy_from_slice(&crc.to_le_bytes());
        page
    }
}
