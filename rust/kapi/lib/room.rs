// SPDX-License-Identifier: GPL-2.0

//! Memory in place of which only what is used is cleared.
//!
//! C counterpart: none; C leaves such memory as it was allocated.

use core::mem::{
    offset_of,
    MaybeUninit, //
};
use kernel::prelude::*;

/// Room for `N` bytes.
///
/// # Invariants
///
/// The first `valid` bytes are initialised, and are not more than `N`.
pub(crate) struct Room<const N: usize> {
    valid: usize,
    bytes: MaybeUninit<[u8; N]>,
}

impl<const N: usize> Room<N> {
    /// Where in it the bytes are.
    pub(crate) const OFFSET: usize = offset_of!(Self, bytes);

    /// With no valid bytes.
    pub(crate) fn new() -> impl Init<Self> {
        // INVARIANT: None are said to be initialised.
        init!(Self {
            valid: 0,
            bytes <- pin_init::uninit::<_, core::convert::Infallible>(),
        })
    }

    /// Makes the first `len` bytes (at most `N`) valid and 0, and no others.
    #[inline]
    pub(crate) fn clear(&mut self, len: usize) {
        let len = len.min(N);
        // SAFETY: The array has so many bytes.
        unsafe { self.bytes.as_mut_ptr().cast::<u8>().write_bytes(0, len) };
        // INVARIANT: Written above.
        self.valid = len;
    }

    /// How many are valid.
    #[inline]
    pub(crate) fn valid(&self) -> usize {
        self.valid
    }

    /// The first `len` bytes; `None` if not all of them are valid.
    #[inline]
    pub(crate) fn get(&self, len: usize) -> Option<&[u8]> {
        if len > self.valid {
            return None;
        }
        // SAFETY: By the type's invariant they are initialised.
        Some(unsafe { core::slice::from_raw_parts(self.bytes.as_ptr().cast(), len) })
    }

    /// As [`get`](Self::get), to be changed.
    #[inline]
    pub(crate) fn get_mut(&mut self, len: usize) -> Option<&mut [u8]> {
        if len > self.valid {
            return None;
        }
        // SAFETY: By the type's invariant they are initialised; they are borrowed mutably.
        Some(unsafe { core::slice::from_raw_parts_mut(self.bytes.as_mut_ptr().cast(), len) })
    }
}
