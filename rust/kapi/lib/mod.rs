// SPDX-License-Identifier: GPL-2.0

//! As the kernel's lib/: bits, numbers from text, random numbers, queues, memory that is filled later.

pub(crate) mod bitops;
pub(crate) mod fifo;
pub(crate) mod kstrtox;
pub(crate) mod random;
pub(crate) mod room;
