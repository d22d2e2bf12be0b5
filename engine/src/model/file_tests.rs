//! Tests of the model file: what is refused and how it is told.

use proptest::prelude::*;

use super::*;
use crate::model::testing::tiny_file;

/// Finds `from` in the header of a file and replaces it with `to` of the same length.
fn edited(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes());
    let at = at.unwrap_or_else(|| panic!("`{from}` is not in the header"));
    let mut bytes = bytes.to_vec();
    bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
    bytes
}

fn error(bytes: impl AsRef<[u8]>) -> ModelFileError {
    ModelFile::from_bytes(bytes).unwrap_err()
}

#[test]
fn mapped_files_are_used_where_they_lie() {
    let path = std::env::temp_dir().join(format!("linnet-file-{}.linnet", std::process::id()));
    std::fs::write(&path, tiny_file()).unwrap();
    let file = ModelFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let all = (*file.bytes).as_ref().as_ptr_range();
    let dense = file.dense("joint.enc").unwrap();
    let table = file.tensor("decoder.prediction.input_table").unwrap();
    for at in [dense.weight.as_ptr().cast(), dense.bias.as_ptr().cast(), table.as_ptr().cast()] {
        assert!(all.contains(&at));
    }
    assert_eq!(dense.weight.as_ptr().addr() % 64, 0);
    // A view outlives the file it comes from.
    drop(file);
    assert_eq!(dense.weight.len(), 16 * 24);
    assert!(dense.weight.iter().any(|&q| q.unsigned_abs() == 127));
}

#[test]
fn every_packed_weight_starts_at_a_cache_line() {
    let file = ModelFile::from_bytes(tiny_file()).unwrap();
    for name in file.dense.keys() {
        assert_eq!(file.dense(name).unwrap().weight.as_ptr().addr() % 64, 0, "{name}");
    }
    assert!(file.dense.len() > 20);
}

#[test]
fn static_bytes_are_taken_at_any_alignment() {
    let bytes = tiny_file();
    for shift in [0, 1, 4, 32] {
        let memory = vec![0; bytes.len() + 128].leak();
        let start = memory.as_ptr().align_offset(64) + shift;
        memory[start..start + bytes.len()].copy_from_slice(&bytes);
        let moved: &'static [u8] = &memory[start..start + bytes.len()];
        let file = ModelFile::from_static(moved).unwrap();
        let inside = moved.as_ptr_range().contains(&file.tensor("joint.enc.bias").unwrap().as_ptr().cast());
        assert_eq!(inside, shift == 0, "copied only when misaligned");
        assert_eq!(file.dense("joint.enc").unwrap().n, 14);
    }
}

#[test]
fn truncated_files_are_told() {
    let bytes = tiny_file();
    for length in [0, 1, 8, 9, 100, 1000, bytes.len() / 2, bytes.len() - 1] {
        let error = error(&bytes[..length]);
        assert!(matches!(error, ModelFileError::Truncated { .. }), "{length}: {error}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(matches!(error(longer), ModelFileError::BadHeader { .. }));
}

#[test]
fn damaged_data_are_told() {
    let mut bytes = tiny_file();
    *bytes.last_mut().unwrap() ^= 0x10;
    assert!(matches!(error(bytes), ModelFileError::Checksum { expected, found } if expected != found));
}

#[test]
fn foreign_newer_and_plain_files_are_told() {
    assert!(matches!(error(b"RIFF\x24\0\0\0WAVEfmt "), ModelFileError::NotAModel { .. }));
    let bytes = tiny_file();
    let newer = edited(&bytes, r#""format_version":"1""#, r#""format_version":"2""#);
    assert!(matches!(error(newer), ModelFileError::NewerFormat { found: 2, supported: 1 }));
    let strange = edited(&bytes, r#""format_version":"1""#, r#""format_version":"x""#);
    assert!(error(strange).to_string().contains("`x`"));
    let foreign = edited(&bytes, r#""format":"linnet""#, r#""format":"python""#);
    assert!(error(foreign).to_string().contains("`python`"));
    let missing = ModelFile::open("no/such/model.linnet").unwrap_err();
    assert!(missing.to_string().contains("no/such/model.linnet"), "{missing}");
}

#[test]
fn tensors_and_numbers_that_do_not_fit_are_named() {
    let bytes = tiny_file();
    let renamed = edited(&bytes, "joint.pred.weight", "joint.pRed.weight");
    let message = error(renamed).to_string();
    assert!(message.contains("`joint.pred.weight`") && message.contains("[1, 3, 16, 4]"), "{message}");

    let wider = edited(&bytes, r#"\"d_ff\":36"#, r#"\"d_ff\":52"#);
    let message = error(wider).to_string();
    assert!(message.contains("feed_forward1.linear1.weight") && message.contains("[3, 6, 16, 4]"), "{message}");

    let headless = edited(&bytes, r#"\"heads\":2"#, r#"\"heads\":0"#);
    assert!(error(headless).to_string().contains("`encoder.heads` is 0"));
    let huge = edited(&bytes, r#"\"layers\":2"#, r#"\"layers\":9"#);
    assert!(matches!(error(huge), ModelFileError::MissingTensor { .. }));
    let tokens = edited(&bytes, r#"\"vocab_size\":9"#, r#"\"vocab_size\":8"#);
    assert!(matches!(error(tokens), ModelFileError::BadTokens { .. }));
}

#[test]
fn lookups_of_other_names_fail() {
    let file = ModelFile::from_bytes(tiny_file()).unwrap();
    assert!(matches!(file.dense("joint.none"), Err(ModelFileError::MissingTensor { .. })));
    assert!(matches!(file.tensor("joint.none"), Err(ModelFileError::MissingTensor { .. })));
    assert!(matches!(file.tensor("joint.enc.weight"), Err(ModelFileError::WrongType { expected: "F32", .. })));
}

/// Uses everything that an accepted file offers.
fn touch(file: &ModelFile) {
    for name in file.dense.keys() {
        let dense = file.dense(name).unwrap();
        assert_eq!(dense.weight.len() % 64, 0);
    }
    for (name, info) in &file.header.tensors {
        if info.dtype == "F32" {
            // Tensors that no model has may be misaligned; they are refused, not read.
            let _ = file.tensor(name);
        }
    }
    assert!(file.tokens().piece(file.tokens().blank()).is_none());
    assert!(file.config().encoder.left_frames(file.config().encoder.default_look_ahead) <= 4096);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Whatever happens to the bytes, a file is refused or used, and nothing panics.
    #[test]
    fn changed_bytes_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        in_header in any::<bool>(),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = tiny_file();
        let header = Header::parse(&bytes).unwrap().data_start;
        let range = if in_header { header } else { bytes.len() };
        for (at, value) in changes {
            let at = at.index(range);
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        if let Ok(file) = ModelFile::from_bytes(&bytes) {
            touch(&file);
        }
    }

    /// Numbers of the configuration may be anything.
    #[test]
    fn changed_numbers_never_panic(which in any::<prop::sample::Index>(), value in any::<u64>(), small in any::<bool>()) {
        let bytes = tiny_file();
        let header = Header::parse(&bytes).unwrap();
        let text = std::str::from_utf8(&bytes[8..header.data_start]).unwrap();
        let numbers: Vec<usize> = text
            .char_indices()
            .filter(|&(at, c)| c.is_ascii_digit() && !text.as_bytes()[at - 1].is_ascii_digit())
            .map(|(at, _)| at)
            .collect();
        let start = numbers[which.index(numbers.len())];
        let end = start + text[start..].find(|c: char| !c.is_ascii_digit()).unwrap();
        let value = if small { value % 300 } else { value };
        let changed = format!("{}{value}{}", &text[..start], &text[end..]);
        let mut file = (changed.len() as u64).to_le_bytes().to_vec();
        file.extend_from_slice(changed.as_bytes());
        file.extend_from_slice(&bytes[header.data_start..]);
        if let Ok(file) = ModelFile::from_bytes(&file) {
            touch(&file);
        }
    }
}
