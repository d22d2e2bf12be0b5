//! Parameters that are either owned or borrowed from a mapped model file.

use bytemuck::{Pod, Zeroable};
use std::{fmt, marker::PhantomData, ops::Deref, ops::Range, sync::Arc};

/// Memory that outlives the parameters which point into it, such as a memory-mapped file.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// A read-only slice that shares the memory it lies in: its own, aligned to 64 bytes, or a part of a mapped file.
///
/// A clone shares the memory.
pub struct Shared<T: Pod> {
    bytes: Bytes,
    range: Range<usize>,
    element: PhantomData<T>,
}

/// Why bytes do not hold the elements asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SharedError {
    /// The range ends behind the bytes.
    #[error("bytes {start}..{end} lie outside of the {len} bytes mapped; the file is truncated")]
    OutOfRange {
        /// First byte asked for.
        start: usize,
        /// End of the bytes asked for.
        end: usize,
        /// Bytes there are.
        len: usize,
    },
    /// The range is not a whole number of elements, or does not start at a multiple of their alignment.
    #[error("bytes {start}..{end} are no aligned array of elements of {size} bytes; write the model file again")]
    Layout {
        /// First byte asked for.
        start: usize,
        /// End of the bytes asked for.
        end: usize,
        /// Bytes of an element.
        size: usize,
    },
}

impl<T: Pod> Shared<T> {
    /// Views a byte range of `bytes` as elements, without a copy.
    ///
    /// # Errors
    /// [`SharedError`] when the range lies outside of the bytes or is not an aligned array of `T`.
    pub fn map(bytes: Bytes, range: Range<usize>) -> Result<Self, SharedError> {
        let all = (*bytes).as_ref();
        let (start, end) = (range.start, range.end);
        let part = all.get(range.clone()).ok_or(SharedError::OutOfRange { start, end, len: all.len() })?;
        bytemuck::try_cast_slice::<u8, T>(part).map_err(|_| SharedError::Layout {
            start,
            end,
            size: size_of::<T>(),
        })?;
        Ok(Self { bytes, range, element: PhantomData })
    }
}

/// The unit of owned memory: a cache line, so that a panel row of weights never straddles two.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
struct Line([u8; 64]);

struct Lines(Vec<Line>);

impl AsRef<[u8]> for Lines {
    fn as_ref(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

impl<T: Pod> From<&[T]> for Shared<T> {
    /// Copies the elements into memory of its own.
    fn from(elements: &[T]) -> Self {
        let source: &[u8] = bytemuck::cast_slice(elements);
        let mut lines = vec![Line::zeroed(); source.len().div_ceil(64)];
        bytemuck::cast_slice_mut::<Line, u8>(&mut lines)[..source.len()].copy_from_slice(source);
        Self { bytes: Arc::new(Lines(lines)), range: 0..source.len(), element: PhantomData }
    }
}

impl<T: Pod> From<Vec<T>> for Shared<T> {
    fn from(elements: Vec<T>) -> Self {
        elements.as_slice().into()
    }
}

impl<T: Pod> Deref for Shared<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        bytemuck::cast_slice(&(*self.bytes).as_ref()[self.range.clone()])
    }
}

impl<T: Pod> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), range: self.range.clone(), element: PhantomData }
    }
}

impl<T: Pod> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared<{}>({})", std::any::type_name::<T>(), self.range.len() / size_of::<T>().max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn owned_memory_is_aligned_and_equal() {
        for len in [0, 1, 15, 16, 17, 1000] {
            let values: Vec<f32> = (0..len).map(|i| i as f32).collect();
            let shared = Shared::from(values.clone());
            assert_eq!(&*shared, values);
            assert_eq!(shared.as_ptr() as usize % 64, 0);
            assert_eq!(&*shared.clone(), values);
        }
    }

    #[test]
    fn mapping_checks_range_and_layout() {
        let owned = Shared::<i32>::from(vec![1, 2, 3, 4]);
        let bytes = owned.bytes.clone();
        assert_eq!(&*Shared::<i32>::map(bytes.clone(), 4..12).unwrap(), [2, 3]);
        assert!(matches!(Shared::<i32>::map(bytes.clone(), 60..68), Err(SharedError::OutOfRange { .. })));
        assert!(matches!(Shared::<i32>::map(bytes.clone(), 2..6), Err(SharedError::Layout { .. })));
        assert!(matches!(Shared::<i32>::map(bytes, 0..6), Err(SharedError::Layout { .. })));
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges)]
    fn mapping_refuses_a_backward_range() {
        let bytes: Bytes = Arc::new(vec![0_u8; 8]);
        assert!(Shared::<u8>::map(bytes, 4..2).is_err());
    }
}
