//! Audio files: WAV, FLAC, MP3 and Ogg Vorbis, whole, damaged, or something else.

use std::{ffi::CString, fs, io::Write, sync::OnceLock};

use linnet_ffi::{linnet_status_t::*, *};

use super::host::{blank_event, check_event, engine, sound};

/// Where this process writes its files: in memory where the system has such a place.
fn path() -> &'static CString {
    static PATH: OnceLock<CString> = OnceLock::new();
    PATH.get_or_init(|| {
        let shared = std::path::Path::new("/dev/shm");
        let folder = if shared.is_dir() { shared.to_owned() } else { std::env::temp_dir() };
        let path = folder.join(format!("linnet-fuzz-{}.audio", std::process::id()));
        CString::new(path.into_os_string().into_string().expect("the path is UTF-8")).expect("the path has no zero")
    })
}

/// Ogg pages whose checksums fit, as those of a malicious file would: others are skipped before anything looks into them.
fn with_checksums(data: &[u8]) -> Vec<u8> {
    let (mut bytes, mut at) = (data.to_vec(), 0);
    while let Some(head) = bytes.get(at..at + 27).filter(|head| head.starts_with(b"OggS")) {
        let segments = usize::from(head[26]);
        let Some(lengths) = bytes.get(at + 27..at + 27 + segments) else { break };
        let len = 27 + segments + lengths.iter().map(|&len| usize::from(len)).sum::<usize>();
        let Some(page) = bytes.get_mut(at..at + len) else { break };
        page[22..26].fill(0);
        let sum = page.iter().fold(0u32, |sum, &byte| {
            (0..8).fold(sum ^ u32::from(byte) << 24, |sum, _| sum << 1 ^ if sum >> 31 == 1 { 0x04C1_1DB7 } else { 0 })
        });
        page[22..26].copy_from_slice(&sum.to_le_bytes());
        at += len;
    }
    bytes
}

pub fn run(data: &[u8]) {
    let path = path();
    let mut file = fs::File::create(path.to_str().expect("the path is UTF-8")).expect("the file can be made");
    file.write_all(&with_checksums(data)).expect("the file can be written");
    drop(file);
    let mut transcript = 1;
    // SAFETY: the path ends with a zero, and the handle can be written; null stands for the defaults.
    let status = unsafe { linnet_transcribe_file(engine(), path.as_ptr(), std::ptr::null(), &mut transcript) };
    let _ = fs::remove_file(path.to_str().expect("the path is UTF-8"));
    assert!(matches!(sound(status), LINNET_OK | LINNET_ERROR_AUDIO), "{status:?}");
    assert_eq!(status == LINNET_OK, transcript != 0);
    if transcript != 0 {
        let mut event = blank_event();
        // SAFETY: it is a whole struct.
        assert_eq!(unsafe { linnet_transcript_get(transcript, &mut event) }, LINNET_OK);
        check_event(&event);
    }
    assert_eq!(linnet_transcript_free(transcript), LINNET_OK);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .map(|folder| folder.join("engine/tests/data/speech"))
        .find(|folder| folder.is_dir());
    let mut seeds = Vec::new();
    // Of Ogg Vorbis the codebooks and the first page of audio; the others say all in their first frames.
    for (name, len) in [("formats/speech.flac", 3000), ("formats/speech.mp3", 1500), ("sample-002120.ogg", 7709)] {
        let mut bytes = folder.as_ref().and_then(|folder| fs::read(folder.join(name)).ok()).unwrap_or_default();
        bytes.truncate(len);
        seeds.push(bytes);
    }
    // A WAV file of 40 samples in each of the encodings that the header knows.
    for (tag, bits) in [(1u16, 8u16), (1, 16), (1, 24), (1, 32), (3, 32), (3, 64), (6, 8), (7, 8), (0xFFFE, 16)] {
        let data = vec![0x55u8; 40 * usize::from(bits / 8)];
        let mut wav = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        wav.extend_from_slice(&tag.to_le_bytes());
        wav.extend_from_slice(&1u16.to_le_bytes());
        wav.extend_from_slice(&16_000u32.to_le_bytes());
        wav.extend_from_slice(&(16_000 * u32::from(bits / 8)).to_le_bytes());
        wav.extend_from_slice(&(bits / 8).to_le_bytes());
        wav.extend_from_slice(&bits.to_le_bytes());
        wav.extend_from_slice(b"data");
        wav.extend_from_slice(&(data.len() as u32).to_le_bytes());
        wav.extend_from_slice(&data);
        seeds.push(wav);
    }
    seeds
}
