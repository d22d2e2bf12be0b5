//! Whatever a host does, it gets the status that it should: random calls, settings, samples and model files.

mod common;

use std::{ffi::CString, fs, sync::OnceLock};

use common::model;
use linnet_ffi::{linnet_status_t::*, *};
use proptest::{collection::vec, prelude::*, sample::Index};

/// The engine that the tests share.
fn engine() -> linnet_engine_t {
    static ENGINE: OnceLock<linnet_engine_t> = OnceLock::new();
    *ENGINE.get_or_init(|| {
        let path = CString::new(model().to_str().unwrap()).unwrap();
        let mut engine = 0;
        // SAFETY: the path ends with a zero, and the handle can be written.
        assert_eq!(unsafe { linnet_engine_open(path.as_ptr(), &mut engine) }, LINNET_OK);
        engine
    })
}

/// A stream that a call names: one that was made some time, or any number.
#[derive(Clone, Debug)]
enum Named {
    Made(Index),
    Forged(u64),
}

#[derive(Clone, Debug)]
enum Call {
    New,
    Free(Named),
    PushF32(Named, Vec<f32>),
    PushI16(Named, Vec<i16>),
    Poll(Named),
    Finalize(Named),
    Finish(Named),
    Reset(Named),
    SetChunk(Named, u32),
}

fn call() -> impl Strategy<Value = Call> {
    let named = || prop_oneof![9 => any::<Index>().prop_map(Named::Made), 1 => any::<u64>().prop_map(Named::Forged)];
    prop_oneof![
        2 => Just(Call::New),
        1 => named().prop_map(Call::Free),
        3 => (named(), vec(-1.0f32..1.0, 0..4000)).prop_map(|(stream, samples)| Call::PushF32(stream, samples)),
        1 => (named(), vec(any::<f32>(), 0..400)).prop_map(|(stream, samples)| Call::PushF32(stream, samples)),
        2 => (named(), vec(any::<i16>(), 0..4000)).prop_map(|(stream, samples)| Call::PushI16(stream, samples)),
        2 => named().prop_map(Call::Poll),
        1 => named().prop_map(Call::Finalize),
        1 => named().prop_map(Call::Finish),
        1 => named().prop_map(Call::Reset),
        1 => (named(), any::<u32>()).prop_map(|(stream, chunk_ms)| Call::SetChunk(stream, chunk_ms)),
    ]
}

/// What is known about a stream that was made.
struct Made {
    handle: linnet_stream_t,
    freed: bool,
    finished: bool,
}

/// Makes the call and a prediction of its status.
fn perform(call: &Call, streams: &mut Vec<Made>) -> (linnet_status_t, linnet_status_t) {
    if let Call::New = call {
        let mut handle = 0;
        // SAFETY: null stands for the defaults, and the handle can be written.
        let status = unsafe { linnet_stream_new(engine(), std::ptr::null(), &mut handle) };
        streams.push(Made { handle, freed: false, finished: false });
        return (status, LINNET_OK);
    }
    let (Call::Free(named)
    | Call::PushF32(named, _)
    | Call::PushI16(named, _)
    | Call::Poll(named)
    | Call::Finalize(named)
    | Call::Finish(named)
    | Call::Reset(named)
    | Call::SetChunk(named, _)) = call
    else {
        unreachable!("only New names no stream");
    };
    let mut nobody = Made { handle: 0, freed: true, finished: false };
    let stream = match named {
        Named::Made(index) if !streams.is_empty() => index.get_mut(streams),
        Named::Made(_) => &mut nobody,
        Named::Forged(handle) => {
            nobody.handle = *handle;
            streams.iter_mut().find(|made| made.handle == *handle).unwrap_or(&mut nobody)
        }
    };
    let live = if stream.freed { LINNET_ERROR_INVALID_HANDLE } else { LINNET_OK };
    let takes_audio = if !stream.freed && stream.finished { LINNET_ERROR_FINISHED } else { live };
    let handle = stream.handle;
    match call {
        Call::Free(_) => {
            stream.freed = true;
            (linnet_stream_free(handle), if handle == 0 { LINNET_OK } else { live })
        }
        Call::PushF32(_, samples) => {
            let finite = samples.iter().all(|sample| sample.is_finite());
            let expected = if finite || stream.freed { takes_audio } else { LINNET_ERROR_INVALID_ARGUMENT };
            // SAFETY: the length is that of the samples.
            (unsafe { linnet_stream_push_f32(handle, samples.as_ptr(), samples.len()) }, expected)
        }
        Call::PushI16(_, samples) => {
            // SAFETY: the length is that of the samples.
            (unsafe { linnet_stream_push_i16(handle, samples.as_ptr(), samples.len()) }, takes_audio)
        }
        Call::Poll(_) => {
            // SAFETY: zeros are an event of kind "none" with null pointers.
            let mut event: linnet_event_t = unsafe { std::mem::zeroed() };
            event.size = size_of_val(&event);
            // SAFETY: it is a whole struct.
            (unsafe { linnet_stream_poll(handle, &mut event) }, live)
        }
        Call::Finalize(_) => (linnet_stream_finalize(handle), takes_audio),
        Call::Finish(_) => {
            stream.finished = true;
            (linnet_stream_finish(handle), takes_audio)
        }
        Call::Reset(_) => {
            stream.finished = false;
            (linnet_stream_reset(handle), live)
        }
        Call::SetChunk(_, chunk_ms) => {
            let expected = if *chunk_ms == 0 && !stream.freed { LINNET_ERROR_INVALID_ARGUMENT } else { live };
            (linnet_stream_set_chunk_ms(handle, *chunk_ms), expected)
        }
        Call::New => unreachable!("made above"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_calls_gets_the_statuses_it_should(calls in vec(call(), 1..60)) {
        let mut streams = Vec::new();
        for call in &calls {
            let (status, expected) = perform(call, &mut streams);
            prop_assert_eq!(status, expected, "{:?}", call);
        }
        for stream in streams {
            let expected = if stream.freed { LINNET_ERROR_INVALID_HANDLE } else { LINNET_OK };
            prop_assert_eq!(linnet_stream_free(stream.handle), expected);
        }
    }

    #[test]
    fn any_settings_make_a_stream_or_an_error(size in prop_oneof![0usize..128, any::<usize>()], fields in any::<[u32; 32]>()) {
        #[repr(C)]
        struct Room {
            size: usize,
            fields: [u32; 32],
        }
        // Sizes up to the largest that is accepted must be readable.
        let mut room = vec![Room { size, fields }];
        room.resize_with(64, || Room { size: 0, fields: [0; 32] });
        let mut stream = 0;
        // SAFETY: every size that is accepted, at most 4096 bytes, can be read.
        let status = unsafe { linnet_stream_new(engine(), room.as_ptr().cast(), &mut stream) };
        prop_assert!(status != LINNET_ERROR_INTERNAL && (status == LINNET_OK) == (stream != 0), "{status:?}");
        prop_assert_eq!(linnet_stream_free(stream), LINNET_OK);
    }

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
