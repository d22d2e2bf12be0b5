//! Model files: the small model with changes to its header and its weights, with a checksum that fits and one that does
//! not, cut off anywhere; and bytes that are no model at all.

use arbitrary::{Arbitrary, Unstructured};
use linnet::model::file::ModelFile;
use linnet_ffi::{linnet_status_t::*, *};

use super::host::{drain, model, open, sound, tone};

#[derive(Arbitrary, Debug)]
enum Edit {
    /// A byte of the header.
    Header { at: u16, value: u8 },
    /// A byte of the weights.
    Data { at: u32, value: u8 },
    /// Weights, as a number that training never makes.
    Number { at: u32, value: f32 },
    /// Text of the header, replaced by another.
    Splice { at: u16, remove: u8, insert: Vec<u8> },
    /// A number in the header, replaced by another.
    Digits { nth: u8, value: i64 },
    /// The end of the file.
    Cut { len: u32 },
    /// The length of the header.
    Length { value: u64 },
}

pub fn run(data: &[u8]) {
    let mut source = Unstructured::new(data);
    match u8::arbitrary(&mut source) {
        Ok(0) => check(source.take_rest()),
        Ok(kind) => {
            let edits: Vec<Edit> = Vec::arbitrary(&mut source).unwrap_or_default();
            let mut file = Draft::new(model());
            let mut after = Vec::new();
            for edit in edits.into_iter().take(16) {
                file.edit(edit, &mut after);
            }
            let mut bytes = file.bytes(kind % 4 != 1);
            for edit in after {
                match edit {
                    Edit::Cut { len } => bytes.truncate(len as usize % (bytes.len() + 1)),
                    Edit::Length { value } => bytes[..8].copy_from_slice(&value.to_le_bytes()),
                    _ => {}
                }
                if bytes.len() < 8 {
                    break;
                }
            }
            check(&bytes);
        }
        Err(_) => {}
    }
}

/// A model file whose parts are edited before it is put together.
struct Draft {
    header: Vec<u8>,
    data: Vec<u8>,
}

impl Draft {
    fn new(file: &[u8]) -> Self {
        let len = u64::from_le_bytes(file[..8].try_into().expect("eight bytes")) as usize;
        Self { header: file[8..8 + len].to_vec(), data: file[8 + len..].to_vec() }
    }

    fn edit(&mut self, edit: Edit, after: &mut Vec<Edit>) {
        let Self { header, data } = self;
        match edit {
            Edit::Header { at, value } => {
                let at = usize::from(at) % header.len().max(1);
                header[at..].iter_mut().take(1).for_each(|byte| *byte = value);
            }
            Edit::Data { at, value } => {
                let at = at as usize % data.len();
                data[at] = value;
            }
            Edit::Number { at, value } => {
                let at = at as usize % (data.len() / 4) * 4;
                data[at..at + 4].copy_from_slice(&value.to_le_bytes());
            }
            Edit::Splice { at, remove, insert } => {
                let at = usize::from(at) % (header.len() + 1);
                let end = (at + usize::from(remove)).min(header.len());
                header.splice(at..end, insert);
            }
            Edit::Digits { nth, value } => {
                let mut numbers = Vec::new();
                let mut at = 0;
                while at < header.len() {
                    let len = header[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
                    if len > 0 {
                        numbers.push(at..at + len);
                    }
                    at += len.max(1);
                }
                if let Some(range) = numbers.get(usize::from(nth)) {
                    header.splice(range.clone(), value.to_string().into_bytes());
                }
            }
            Edit::Cut { .. } | Edit::Length { .. } => after.push(edit),
        }
    }

    /// The file: its data at a multiple of 64, and with a checksum that fits where that is asked for.
    fn bytes(mut self, with_checksum: bool) -> Vec<u8> {
        const KEY: &[u8] = b"\"crc32\":\"";
        if with_checksum
            && let Some(at) = self.header.windows(KEY.len()).position(|window| window == KEY)
            && self.header.len() >= at + KEY.len() + 8
        {
            let sum = format!("{:08x}", crc32fast::hash(&self.data));
            self.header[at + KEY.len()..at + KEY.len() + 8].copy_from_slice(sum.as_bytes());
        }
        while !(8 + self.header.len()).is_multiple_of(64) {
            self.header.push(b' ');
        }
        let mut bytes = (self.header.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&self.header);
        bytes.extend_from_slice(&self.data);
        bytes
    }
}

/// Audio of an input: a model that opens must also run, for which the end of the stream makes a whole chunk.
const FRAMES: usize = 1000;

fn check(bytes: &[u8]) {
    let engine = match open(bytes) {
        Ok(engine) => engine,
        Err(status) => {
            assert!(matches!(sound(status), LINNET_ERROR_MODEL), "{status:?}");
            return;
        }
    };
    // SAFETY: zeros are a struct of integers and null pointers.
    let mut info: linnet_engine_info_t = unsafe { std::mem::zeroed() };
    info.size = size_of_val(&info);
    // SAFETY: it is a whole struct.
    assert_eq!(unsafe { linnet_engine_info(engine, &mut info) }, LINNET_OK);
    assert!(info.chunks_len > 0 && info.parameters > 0);
    super::host::check_string(info.name);
    super::host::check_string(info.language);
    let mut stream = 0;
    // SAFETY: null stands for the defaults, and the handle can be written.
    let status = sound(unsafe { linnet_stream_new(engine, std::ptr::null(), &mut stream) });
    if status == LINNET_OK {
        let samples = &tone()[..FRAMES];
        // SAFETY: there are this many frames.
        assert_eq!(sound(unsafe { linnet_stream_push_i16(stream, samples.as_ptr(), FRAMES) }), LINNET_OK);
        drain(stream);
        assert_eq!(sound(linnet_stream_finish(stream)), LINNET_OK);
        drain(stream);
        assert_eq!(linnet_stream_free(stream), LINNET_OK);
    }
    assert_eq!(linnet_engine_free(engine), LINNET_OK);
}

pub fn seeds() -> Vec<Vec<u8>> {
    let whole = [&[0u8][..], model()].concat();
    let header = whole[..whole.len().min(4096)].to_vec();
    let mut seeds = vec![whole, header, vec![1], vec![2]];
    seeds.extend((0..7u8).map(|kind| [&[2u8, 1, 0, 0, 0, kind * 37][..], &[kind; 24]].concat()));
    // The model as it is can be opened: otherwise nothing here would get far.
    assert!(ModelFile::from_bytes(Draft::new(model()).bytes(true)).is_ok());
    seeds
}
