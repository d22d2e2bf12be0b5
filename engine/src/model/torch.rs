//! Reads the weights of a PyTorch checkpoint: a zip archive of a pickled dictionary (`data.pkl`) and one stored file for
//! each storage, as `torch.save` writes it since version 1.6.
//!
//! The pickle is interpreted here, and only as far as dictionaries of tensors need it: nothing is ever called or
//! imported, values live in one arena so that neither depth nor sharing can exhaust the stack or the memory, and what
//! is not understood is refused. (`candle_core::pickle` needs a file of its own and panics on malformed input.)

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};

use zip::{CompressionMethod, ZipArchive};

use super::checkpoint::{Tensor, to_f32};

/// Largest pickle accepted, in bytes. That of a model of 1 B parameters has about 200 kB.
const MAX_PICKLE_BYTES: u64 = 16 << 20;

/// The tensors of a pickled dictionary for which `wanted` holds; others are not read.
pub(super) fn tensors(bytes: &[u8], wanted: impl Fn(&str) -> bool) -> Result<BTreeMap<String, Tensor>, String> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| {
        format!(
            "it is no zip archive ({error}); checkpoints of PyTorch before 1.6 must be saved again with a newer one"
        )
    })?;
    let pickle_name = zip.file_names().flatten().find(|name| name.ends_with("/data.pkl")).map(|name| name.into_owned());
    let pickle_name = pickle_name.ok_or("it holds no data.pkl; it is no checkpoint of PyTorch")?;
    let folder = pickle_name.trim_end_matches("data.pkl").to_string();
    let mut pickle = Vec::new();
    let read = zip.by_name(&pickle_name).map_err(|error| error.to_string())?;
    read.take(MAX_PICKLE_BYTES).read_to_end(&mut pickle).map_err(|error| format!("data.pkl: {error}"))?;

    let mut machine = Machine::default();
    let root = machine.run(&pickle).ok_or("data.pkl holds something else than plain tensors")?;
    let mut tensors = BTreeMap::new();
    for (name, value) in machine.tensors(root) {
        if !wanted(&name) {
            continue;
        }
        let stored = value.ok_or_else(|| format!("`{name}` is no plain tensor"))?;
        let storage = storage(&mut zip, bytes, &format!("{folder}data/{}", stored.key))?;
        let tensor = stored.read(storage).ok_or_else(|| format!("`{name}` does not fit its storage"))?;
        tensors.insert(name, tensor);
    }
    Ok(tensors)
}

/// The bytes of one storage, where they lie in the archive.
fn storage<'a>(zip: &mut ZipArchive<Cursor<&[u8]>>, bytes: &'a [u8], name: &str) -> Result<&'a [u8], String> {
    let file = zip.by_name(name).map_err(|error| format!("{name}: {error}"))?;
    if file.compression() != CompressionMethod::Stored {
        return Err(format!("{name} is compressed; save the checkpoint with torch.save"));
    }
    let start = file.data_start().unwrap_or(u64::MAX);
    let end = start.saturating_add(file.size());
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| bytes.get(start..end)).ok_or_else(|| format!("{name} is truncated"))
}

/// Where a tensor lies in its storage.
struct Stored {
    key: String,
    dtype: &'static str,
    element_bytes: usize,
    /// Elements before the first one.
    offset: usize,
    shape: Vec<usize>,
}

impl Stored {
    fn read(self, storage: &[u8]) -> Option<Tensor> {
        let count = self.shape.iter().try_fold(1_usize, |count, &dim| count.checked_mul(dim))?;
        let start = self.offset.checked_mul(self.element_bytes)?;
        let end = start.checked_add(count.checked_mul(self.element_bytes)?)?;
        Some(Tensor { data: to_f32(self.dtype, storage.get(start..end)?)?, shape: self.shape })
    }
}

/// Index of a value in the arena.
type Id = usize;

/// A value on the stack of the pickle machine. Containers refer to their elements by index.
enum Value {
    None,
    Mark,
    Int(i64),
    Text(String),
    /// `module.name`
    Global(String),
    Tuple(Vec<Id>),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Call {
        function: Id,
        arguments: Id,
    },
    Persistent(Id),
}

#[derive(Default)]
struct Machine {
    arena: Vec<Value>,
    stack: Vec<Id>,
    memo: HashMap<u32, Id>,
}

impl Machine {
    /// Runs a pickle and returns its result; `None` when it is malformed or uses what tensors do not need.
    /// The operations are those of protocol 2, see `pickletools` in Python's library.
    fn run(&mut self, pickle: &[u8]) -> Option<Id> {
        let mut input = Input(pickle);
        loop {
            match input.byte()? {
                // PROTO, FRAME
                0x80 => _ = input.byte()?,
                0x95 => _ = input.take(8)?,
                b'.' => return self.stack.pop(),
                b'(' => self.push(Value::Mark),
                b'N' => self.push(Value::None),
                0x88 => self.push(Value::Int(1)),
                0x89 => self.push(Value::Int(0)),
                b'J' => self.push(Value::Int(i32::from_le_bytes(input.array()?).into())),
                b'K' => self.push(Value::Int(input.byte()?.into())),
                b'M' => self.push(Value::Int(u16::from_le_bytes(input.array()?).into())),
                0x8A => self.push(Value::Int(input.long()?)),
                b'G' => {
                    input.take(8)?;
                    self.push(Value::None);
                }
                b'X' => {
                    let length = u32::from_le_bytes(input.array()?);
                    self.push(Value::Text(input.text(length as usize)?));
                }
                b'c' => {
                    let name = format!("{}.{}", input.line()?, input.line()?);
                    self.push(Value::Global(name));
                }
                b')' => self.push(Value::Tuple(Vec::new())),
                b']' => self.push(Value::List(Vec::new())),
                b'}' => self.push(Value::Dict(Vec::new())),
                operation @ 0x85..=0x87 => {
                    let start = self.stack.len().checked_sub(usize::from(operation - 0x84))?;
                    let items = self.stack.split_off(start);
                    self.push(Value::Tuple(items));
                }
                b't' => {
                    let items = self.pop_to_mark()?;
                    self.push(Value::Tuple(items));
                }
                b'a' => {
                    let item = self.stack.pop()?;
                    self.extend(vec![item])?;
                }
                b'e' | b'u' => {
                    let items = self.pop_to_mark()?;
                    self.extend(items)?;
                }
                b's' => {
                    let start = self.stack.len().checked_sub(2)?;
                    let items = self.stack.split_off(start);
                    self.extend(items)?;
                }
                b'Q' => {
                    let id = self.stack.pop()?;
                    self.push(Value::Persistent(id));
                }
                // REDUCE, NEWOBJ
                b'R' | 0x81 => self.call()?,
                // BUILD sets attributes of the object below, such as the versions of a state dictionary's modules.
                b'b' => _ = self.stack.pop()?,
                b'q' => _ = self.memo.insert(input.byte()?.into(), *self.stack.last()?),
                b'r' => _ = self.memo.insert(u32::from_le_bytes(input.array()?), *self.stack.last()?),
                b'h' => self.stack.push(*self.memo.get(&input.byte()?.into())?),
                b'j' => self.stack.push(*self.memo.get(&u32::from_le_bytes(input.array()?))?),
                _ => return None,
            }
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.arena.len());
        self.arena.push(value);
    }

    fn pop_to_mark(&mut self) -> Option<Vec<Id>> {
        let mark = self.stack.iter().rposition(|&id| matches!(self.arena[id], Value::Mark))?;
        let items = self.stack.split_off(mark + 1);
        self.stack.pop();
        Some(items)
    }

    /// Adds elements to the list or dictionary on top of the stack.
    fn extend(&mut self, items: Vec<Id>) -> Option<()> {
        match &mut self.arena[*self.stack.last()?] {
            Value::List(list) => list.extend(items),
            Value::Dict(dict) => {
                let (pairs, rest) = items.as_chunks::<2>();
                if !rest.is_empty() {
                    return None;
                }
                dict.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            _ => return None,
        }
        Some(())
    }

    fn call(&mut self) -> Option<()> {
        let arguments = self.stack.pop()?;
        let function = self.stack.pop()?;
        let value = match &self.arena[function] {
            Value::Global(name) if name == "collections.OrderedDict" => Value::Dict(Vec::new()),
            _ => Value::Call { function, arguments },
        };
        self.push(value);
        Some(())
    }

    /// The named entries of a dictionary of tensors, or of the one under `state_dict` in it.
    fn tensors(&self, root: Id) -> Vec<(String, Option<Stored>)> {
        let Value::Dict(entries) = &self.arena[root] else { return Vec::new() };
        let named = |id: Id| match &self.arena[id] {
            Value::Text(name) => Some(name.as_str()),
            _ => None,
        };
        let nested = entries.iter().find(|&&(key, _)| named(key) == Some("state_dict"));
        let entries = match nested.map(|&(_, value)| &self.arena[value]) {
            Some(Value::Dict(nested)) => nested,
            _ => entries,
        };
        let tensors = entries.iter().filter_map(|&(key, value)| Some((named(key)?.to_string(), self.stored(value))));
        tensors.collect()
    }

    /// The arguments of a call of one of these functions.
    fn arguments(&self, id: Id, functions: &str) -> Option<&[Id]> {
        let Value::Call { function, arguments } = self.arena[id] else { return None };
        match (&self.arena[function], &self.arena[arguments]) {
            (Value::Global(name), Value::Tuple(arguments)) if name == functions => Some(arguments),
            _ => None,
        }
    }

    /// `_rebuild_tensor_v2(('storage', type, key, device, count), offset, size, stride, ..)`, possibly as a parameter.
    fn stored(&self, id: Id) -> Option<Stored> {
        let id = match self.arguments(id, "torch._utils._rebuild_parameter") {
            Some(arguments) => *arguments.first()?,
            None => id,
        };
        let [storage, offset, size, stride, ..] = *self.arguments(id, "torch._utils._rebuild_tensor_v2")? else {
            return None;
        };
        let Value::Persistent(storage) = self.arena[storage] else { return None };
        let Value::Tuple(storage) = &self.arena[storage] else { return None };
        let [_, kind, key, ..] = **storage else { return None };
        let (Value::Global(kind), Value::Text(key)) = (&self.arena[kind], &self.arena[key]) else { return None };
        let (dtype, element_bytes) = match kind.as_str() {
            "torch.FloatStorage" => ("F32", 4),
            "torch.HalfStorage" => ("F16", 2),
            "torch.BFloat16Storage" => ("BF16", 2),
            _ => return None,
        };
        let (shape, stride) = (self.numbers(size)?, self.numbers(stride)?);
        let Value::Int(offset) = self.arena[offset] else { return None };
        let offset = usize::try_from(offset).ok()?;
        is_contiguous(&shape, &stride)?.then(|| Stored { key: key.clone(), dtype, element_bytes, offset, shape })
    }

    fn numbers(&self, id: Id) -> Option<Vec<usize>> {
        let Value::Tuple(items) = &self.arena[id] else { return None };
        let number = |&id: &Id| match self.arena[id] {
            Value::Int(number) => usize::try_from(number).ok(),
            _ => None,
        };
        items.iter().map(number).collect()
    }
}

fn is_contiguous(shape: &[usize], stride: &[usize]) -> Option<bool> {
    let mut expected = 1_usize;
    let mut contiguous = shape.len() == stride.len();
    for (&dim, &step) in shape.iter().zip(stride).rev() {
        contiguous &= dim == 1 || step == expected;
        expected = expected.checked_mul(dim)?;
    }
    Some(contiguous)
}

/// The rest of a pickle.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self, length: usize) -> Option<String> {
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }

    fn line(&mut self) -> Option<String> {
        let length = self.0.iter().position(|&byte| byte == b'\n')?;
        let line = self.text(length)?;
        self.take(1)?;
        Some(line)
    }

    /// A little-endian two's complement number of up to eight bytes.
    fn long(&mut self) -> Option<i64> {
        let length = usize::from(self.byte()?);
        let bytes = self.take(length)?;
        let negative = bytes.last().is_some_and(|&byte| byte & 0x80 != 0);
        let mut padded = [if negative { 0xFF } else { 0 }; 8];
        padded.get_mut(..length)?.copy_from_slice(bytes);
        Some(i64::from_le_bytes(padded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// `{"w": _rebuild_tensor_v2(storage "0" of four floats, 1, (3,), (1,))}`, where the kind of storage can be chosen.
    fn pickle(kind: &str, stride: u8) -> Vec<u8> {
        let text = |text: &str| [&[b'X', text.len() as u8, 0, 0, 0], text.as_bytes()].concat();
        let global = |name: &str| format!("c{name}\n").into_bytes();
        [
            b"\x80\x02}q\x00(".to_vec(),
            text("w"),
            global("torch._utils\n_rebuild_tensor_v2"),
            b"((".to_vec(),
            text("storage"),
            global(kind),
            text("0"),
            text("cpu"),
            b"K\x04tQK\x01K\x03\x85K".to_vec(),
            vec![stride],
            b"\x85\x89NtRu.".to_vec(),
        ]
        .concat()
    }

    fn zipped(pickle: &[u8], storage: &[u8], method: CompressionMethod) -> Vec<u8> {
        use std::io::Write;
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        for (name, data) in [("archive/data.pkl", pickle), ("archive/data/0", storage)] {
            zip.start_file(name, options).unwrap();
            zip.write_all(data).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn read(pickle: &[u8], storage: &[u8]) -> Result<BTreeMap<String, Tensor>, String> {
        tensors(&zipped(pickle, storage, CompressionMethod::Stored), |_| true)
    }

    fn floats() -> Vec<u8> {
        [1.0_f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    #[test]
    fn a_tensor_is_read_from_its_offset() {
        let read = read(&pickle("torch\nFloatStorage", 1), &floats()).unwrap();
        assert_eq!(read["w"], Tensor { shape: vec![3], data: vec![2.0, 3.0, 4.0] });
    }

    #[test]
    fn what_is_no_plain_tensor_is_refused() {
        let error = |pickle: &[u8], storage: &[u8]| read(pickle, storage).unwrap_err();
        assert!(error(&pickle("torch\nQInt8Storage", 1), &floats()).contains("`w` is no plain tensor"));
        assert!(error(&pickle("torch\nFloatStorage", 2), &floats()).contains("`w` is no plain tensor"));
        assert!(error(&pickle("torch\nFloatStorage", 1), &floats()[..12]).contains("does not fit"));
        assert!(error(b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R", &[]).contains("data.pkl"));
        assert!(tensors(b"\x80\x02}.", |_| true).unwrap_err().contains("no zip archive"));
    }

    #[test]
    fn a_call_of_anything_else_is_never_made() {
        let system = b"\x80\x02}(X\x01\0\0\0wcos\nsystem\n(X\x02\0\0\0lstRu.";
        assert!(read(system, &[]).unwrap_err().contains("`w` is no plain tensor"));
    }

    #[test]
    fn numbers_of_any_length() {
        let long = |bytes: &[u8]| Input(&[&[bytes.len() as u8], bytes].concat()).long();
        assert_eq!(long(&[]), Some(0));
        assert_eq!(long(&[0xFF]), Some(-1));
        assert_eq!(long(&[0, 1]), Some(256));
        assert_eq!(long(&i64::MIN.to_le_bytes()), Some(i64::MIN));
        assert_eq!(long(&[1; 9]), None);
    }

    #[test]
    fn deep_and_wide_pickles_end() {
        // A million nested tuples, and a tuple doubled sixty times by reference.
        let deep = [vec![b')'], vec![0x85; 1 << 20], vec![b'.']].concat();
        assert!(read(&deep, &[]).unwrap().is_empty());
        let wide = [vec![b')'], b"q\x00h\x00\x86".repeat(60), vec![b'.']].concat();
        assert!(read(&wide, &[]).unwrap().is_empty());
    }

    proptest! {
        #[test]
        fn any_pickle_is_read_or_refused(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut pickle = pickle("torch\nFloatStorage", 1);
            for (at, value) in changes {
                let at = at.index(pickle.len());
                pickle[at] = value;
            }
            let _ = read(&pickle, &floats());
        }
    }
}
