#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| linnet_ffi_fuzz::audio::run(data));
