// SPDX-License-Identifier: GPL-2.0

//! As the kernel's lib/: bits, numbers from text, random numbers, queues, memory that is filled
//! later.
//!
//! - [`bitops`]: `set_bit()` and its like on 32 bits,
//! - [`fifo`]: a list whose items bring their own memory,
//! - [`kstrtox`]: numbers from text (`kstrtoul_from_user()`),
//! - [`random`]: random numbers (`get_random_bytes()`),
//! - [`room`]: memory of which only what is used is cleared.
//!
//! May use no other room. Used by `vfs`, and by `transport`, `fs` and `control`.

pub(crate) mod bitops;
pub(crate) mod fifo;
pub(crate) mod kstrtox;
pub(crate) mod random;
pub(crate) mod room;
