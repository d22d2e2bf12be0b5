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

pub fn run(data: &[u8]) {
    let path = path();
    let mut file = fs::File::create(path.to_str().expect("the path is UTF-8")).expect("the file can be made");
    file.write_all(data).expect("the file can be written");
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
        .map(|folder| folder.join("engine/tests/data/speech/formats"))
        .find(|folder| folder.is_dir());
    let mut seeds = Vec::new();
    for entry in folder.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten()) {
        let mut bytes = fs::read(entry.path()).unwrap_or_default();
        bytes.truncate(6000);
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
