//! An allocator that counts, for tests of what must not allocate. A test binary that names this module runs on it.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, counting the calls of each thread.
struct Counting;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    // A thread that is going away has nothing to count.
    let _ = CALLS.try_with(|calls| calls.set(calls.get() + 1));
}

// SAFETY: every call is handed to `System` unchanged; counting touches a thread-local cell that never allocates.
unsafe impl GlobalAlloc for Counting {
    // SAFETY: the caller's promises are those of `System`.
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller.
        unsafe { System.alloc(layout) }
    }

    // SAFETY: the caller's promises are those of `System`.
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count();
        // SAFETY: as promised by the caller; `pointer` came from `System`.
        unsafe { System.dealloc(pointer, layout) }
    }

    // SAFETY: the caller's promises are those of `System`.
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by the caller; `pointer` came from `System`.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Calls of the allocator, freeing included, that this thread has made.
pub fn calls() -> u64 {
    CALLS.with(Cell::get)
}

/// Calls of the allocator, freeing included, that this thread makes during `work`.
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = calls();
    work();
    calls() - before
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(std::hint::black_box(Box::new(1)))), 2);
    assert_eq!(allocations(|| ()), 0);
}
