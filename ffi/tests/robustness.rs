//! The default model, damaged, is an error. What else a host may do is in the fuzz targets (`tests/fuzz.rs`).

mod common;

use std::{fs, sync::OnceLock};

use common::model;
use linnet_ffi::{linnet_status_t::*, *};
use proptest::{collection::vec, prelude::*, sample::Index};

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_model_is_an_error(damage in vec((any::<Index>(), any::<u8>()), 1..4), len in any::<Index>(), cut: bool) {
        static MODEL: OnceLock<Vec<u8>> = OnceLock::new();
        let model = MODEL.get_or_init(|| fs::read(model()).unwrap());
        let mut bytes = model.clone();
        // Most of the file is weights, whose checksum is one check; the description in front has many.
        let description = bytes.len().min(16_384);
        for (at, value) in damage {
            bytes[at.index(description)] = value;
        }
        bytes.truncate(if cut { len.index(bytes.len()) } else { bytes.len() });
        let mut engine = 0;
        // SAFETY: the length is that of the bytes.
        let status = unsafe { linnet_engine_open_memory(bytes.as_ptr(), bytes.len(), &mut engine) };
        prop_assert!(matches!(status, LINNET_OK | LINNET_ERROR_MODEL), "{status:?}");
        prop_assert_eq!(linnet_engine_free(engine), LINNET_OK);
    }
}
