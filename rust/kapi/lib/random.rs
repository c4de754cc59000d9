// SPDX-License-Identifier: GPL-2.0

//! Random numbers.
//!
//! C header: [`include/linux/random.h`](srctree/include/linux/random.h).

use crate::bindings;

/// Random numbers fit for a key (`get_random_bytes()`).
pub(crate) fn get_random_u32s<const N: usize>() -> [u32; N] {
    let mut numbers = [0u32; N];
    // SAFETY: The buffer is ours, of that size, and any bytes are numbers.
    unsafe { bindings::get_random_bytes(numbers.as_mut_ptr().cast(), size_of_val(&numbers)) };
    numbers
}
