//! Handles: numbers that stand for objects of the library and are recognized when they no longer do.
//!
//! A handle holds, from its low bits: a tag of its kind (8 bits), the index of a slot (24 bits), and the generation of
//! that slot (32 bits), which grows each time the slot is freed. No memory is ever reached through an untrusted number.

use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

use crate::error::Failure;

/// What a handle stands for. The tags are far from small numbers, aligned addresses and each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Engine = 0xE5,
    Stream = 0x9B,
    Transcript = 0x6D,
    Live = 0xC7,
    Hotwords = 0x73,
    Grammar = 0x5D,
    Devices = 0x3F,
    LanguageModel = 0xB9,
}

impl Kind {
    const ALL: [Kind; 8] = [
        Kind::Engine,
        Kind::Stream,
        Kind::Transcript,
        Kind::Live,
        Kind::Hotwords,
        Kind::Grammar,
        Kind::Devices,
        Kind::LanguageModel,
    ];
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Engine => "engine",
            Kind::Stream => "stream",
            Kind::Transcript => "transcript",
            Kind::Live => "live session",
            Kind::Hotwords => "hotwords",
            Kind::Grammar => "grammar",
            Kind::Devices => "device list",
            Kind::LanguageModel => "language model",
        })
    }
}

const INDEX_BITS: u32 = 24;
const MAX_SLOTS: usize = 1 << INDEX_BITS;

/// The objects of one kind that hosts hold.
///
/// A lookup hands out a share of the object, so that it lives to the end of a call during which another thread frees
/// it.
pub(crate) struct Table<T> {
    kind: Kind,
    slots: RwLock<Slots<T>>,
}

struct Slots<T> {
    all: Vec<Slot<T>>,
    /// Indices of slots that are empty and can be used again.
    free: Vec<u32>,
}

struct Slot<T> {
    generation: u32,
    value: Option<Arc<T>>,
}

impl<T> Table<T> {
    pub const fn new(kind: Kind) -> Self {
        Self { kind, slots: RwLock::new(Slots { all: Vec::new(), free: Vec::new() }) }
    }

    /// Takes `value` in and returns its handle, which is never zero.
    pub fn insert(&self, value: T) -> Result<u64, Failure> {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let index = match slots.free.pop() {
            Some(index) => index as usize,
            None if slots.all.len() < MAX_SLOTS => {
                slots.all.push(Slot { generation: 1, value: None });
                slots.all.len() - 1
            }
            None => {
                return Err(Failure::resources(format!(
                    "{MAX_SLOTS} {} handles are in use; free those that are not needed",
                    self.kind
                )));
            }
        };
        let slot = &mut slots.all[index];
        slot.value = Some(Arc::new(value));
        Ok(u64::from(slot.generation) << 32 | (index as u64) << 8 | self.kind as u64)
    }

    /// The object that a handle stands for.
    pub fn get(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let (index, generation) = self.parse(handle)?;
        let slots = self.slots.read().unwrap_or_else(PoisonError::into_inner);
        match slots.all.get(index) {
            Some(Slot { generation: current, value: Some(value) }) if *current == generation => Ok(value.clone()),
            Some(slot) if generation != 0 && generation < slot.generation => Err(self.freed(handle)),
            _ => Err(self.unknown(handle)),
        }
    }

    /// Takes the object out; the handle stands for nothing from now on.
    pub fn remove(&self, handle: u64) -> Result<Arc<T>, Failure> {
        let (index, generation) = self.parse(handle)?;
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        let Slots { all, free } = &mut *slots;
        let Some(slot) = all.get_mut(index) else { return Err(self.unknown(handle)) };
        if slot.generation != generation {
            let was_used = generation != 0 && generation < slot.generation;
            return Err(if was_used { self.freed(handle) } else { self.unknown(handle) });
        }
        let Some(value) = slot.value.take() else { return Err(self.unknown(handle)) };
        // A slot whose generations are used up stays empty for good, so that no handle ever comes twice.
        slot.generation = slot.generation.saturating_add(1);
        if slot.generation != u32::MAX {
            free.push(index as u32);
        }
        Ok(value)
    }

    fn parse(&self, handle: u64) -> Result<(usize, u32), Failure> {
        if handle == 0 {
            return Err(Failure::handle(format!(
                "the {} handle is zero: nothing was opened, or opening failed",
                self.kind
            )));
        }
        let tag = handle as u8;
        if tag != self.kind as u8 {
            let actual = Kind::ALL.iter().find(|kind| **kind as u8 == tag);
            return Err(match actual {
                Some(actual) => Failure::handle(format!(
                    "{handle:#x} is a handle of kind {actual}; this call takes one of kind {}",
                    self.kind
                )),
                None => self.unknown(handle),
            });
        }
        Ok(((handle >> 8) as usize & (MAX_SLOTS - 1), (handle >> 32) as u32))
    }

    fn freed(&self, handle: u64) -> Failure {
        Failure::handle(format!("the {} {handle:#x} was freed before this call", self.kind))
    }

    fn unknown(&self, handle: u64) -> Failure {
        Failure::handle(format!("{handle:#x} is no {} handle that this library gave out", self.kind))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::error::linnet_status_t::LINNET_ERROR_INVALID_HANDLE;

    fn message(result: Result<Arc<impl Sized>, Failure>) -> String {
        let failure = result.err().expect("the handle is accepted");
        assert_eq!(failure.status, LINNET_ERROR_INVALID_HANDLE);
        failure.message
    }

    #[test]
    fn a_handle_stands_for_its_object_until_it_is_removed() {
        let table = Table::new(Kind::Engine);
        let [a, b] = ["a", "b"].map(|value| table.insert(value).unwrap());
        assert_ne!(a, b);
        assert_eq!(*table.get(a).unwrap(), "a");
        assert_eq!(*table.get(b).unwrap(), "b");
        assert_eq!(*table.remove(a).unwrap(), "a");
        assert!(message(table.get(a)).contains("freed"));
        assert!(message(table.remove(a)).contains("freed"));
        assert_eq!(*table.get(b).unwrap(), "b");
    }

    #[test]
    fn a_slot_is_used_again_under_another_handle() {
        let table = Table::new(Kind::Stream);
        let old = table.insert(1).unwrap();
        table.remove(old).unwrap();
        let new = table.insert(2).unwrap();
        assert_eq!((old >> 8) as u32 & 0xff_ffff, (new >> 8) as u32 & 0xff_ffff);
        assert_ne!(old, new);
        assert!(message(table.get(old)).contains("freed"));
        assert!(message(table.remove(old)).contains("freed"));
        assert_eq!(*table.get(new).unwrap(), 2);
    }

    #[test]
    fn foreign_numbers_are_refused() {
        let engines = Table::new(Kind::Engine);
        let streams = Table::new(Kind::Stream);
        let engine = engines.insert(()).unwrap();
        streams.insert(()).unwrap();
        assert!(message(streams.get(engine)).contains("of kind engine; this call takes one of kind stream"));
        assert!(message(streams.remove(engine)).contains("of kind engine"));
        let tag = Kind::Engine as u64;
        let forged = [1, 0xdead_beef, u64::MAX, engine + (1 << 8), engine + (1 << 32), tag, tag | u64::MAX << 8];
        for handle in forged {
            assert!(message(engines.get(handle)).contains("no engine handle"), "{handle:#x}");
            assert!(message(engines.remove(handle)).contains("no engine handle"), "{handle:#x}");
        }
        assert!(message(engines.get(0)).contains("zero"));
    }

    #[test]
    fn a_slot_without_generations_left_is_retired() {
        let table = Table::new(Kind::Engine);
        let first = table.insert(0).unwrap();
        table.slots.write().unwrap().all[0].generation = u32::MAX - 1;
        let last = u64::from(u32::MAX - 1) << 32 | (first & 0xffff_ffff);
        table.remove(last).unwrap();
        let next = table.insert(1).unwrap();
        assert_eq!((next >> 8) as u32 & 0xff_ffff, 1);
        assert!(message(table.get(last)).contains("freed"));
        assert!(message(table.get(u64::from(u32::MAX) << 32 | (first & 0xffff_ffff))).contains("no engine handle"));
    }

    #[test]
    fn an_object_in_use_outlives_its_handle() {
        struct Counted<'a>(&'a AtomicUsize);
        impl Drop for Counted<'_> {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::SeqCst);
            }
        }
        let drops = AtomicUsize::new(0);
        let table = Table::new(Kind::Stream);
        let handle = table.insert(Counted(&drops)).unwrap();
        let in_use = table.get(handle).unwrap();
        drop(table.remove(handle));
        assert_eq!(drops.load(Ordering::SeqCst), 0);
        drop(in_use);
        assert_eq!(drops.load(Ordering::SeqCst), 1);
    }

    #[test]
    fn one_of_many_threads_frees() {
        let table = Table::new(Kind::Stream);
        for round in 0..20 {
            let handle = table.insert(round).unwrap();
            let freed = AtomicUsize::new(0);
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        if let Ok(value) = table.get(handle) {
                            assert_eq!(*value, round);
                        }
                        freed.fetch_add(usize::from(table.remove(handle).is_ok()), Ordering::SeqCst);
                    });
                }
            });
            assert_eq!(freed.load(Ordering::SeqCst), 1);
        }
    }
}
