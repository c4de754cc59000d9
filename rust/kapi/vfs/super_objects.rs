// SPDX-License-Identifier: GPL-2.0

//! How many inodes and dentries a superblock has, so that it outlives them.
//!
//! C header: [`include/linux/fs/super_types.h`](srctree/include/linux/fs/super_types.h).
//!
//! C rule encoded here: a superblock that is shut down does not wait for references to its inodes
//! and dentries. It complains ("Busy inodes after unmount", "Dentry still in use") and goes; who
//! still has one is left with dangling pointers. In C it is the filesystem's duty that there is
//! none. A reference here ([`ARef`](kernel::sync::aref::ARef),
//! [`InodeHold`](super::inode_hold::InodeHold)) can be kept anywhere, and its type says nothing of
//! the superblock. So the superblock waits: for the last of what `alloc_inode` and `d_init` have
//! made, which is counted, to come by `destroy_inode` and `d_release`. One that goes with the
//! superblock's own data would never come. Nor would that of a dentry to which a reference is
//! dropped only after `kill_sb`: it is hashed, so it is kept for later, and nobody shrinks a
//! superblock's dentries then. What holds a dentry is therefore waited for by the filesystem's own
//! `kill_sb`.
//!
//! The count is one atomic operation for each allocation, and one for each end, of an object whose
//! allocation takes several; there is none for a reference. It has a cache line of its own, beside
//! the private data that all operations read.

use kernel::{
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Full,
            Relaxed, //
        },
        Completion, //
    },
};

/// The inodes and dentries of a superblock.
#[pin_data]
#[repr(align(64))]
pub(super) struct SuperObjects {
    /// How many there are, and one for the superblock until it waits.
    count: Atomic<usize>,
    /// None is left.
    #[pin]
    none: Completion,
}

impl SuperObjects {
    /// Of a new superblock.
    pub(super) fn new() -> impl PinInit<Self> {
        pin_init!(Self {
            count: Atomic::new(1),
            none <- Completion::new(),
        })
    }

    /// One more.
    pub(super) fn add(&self) {
        self.count.fetch_add(1usize, Relaxed);
    }

    /// One less: it does not use the superblock any more.
    pub(super) fn remove(&self) {
        if self.count.fetch_sub(1usize, Full) == 1 {
            // The waiter returns when this is through with the memory, which may go then.
            self.none.complete_all();
        }
    }

    /// Waits until there is none, nor will be. Sleeps. To be called once, at the end.
    pub(super) fn wait(&self) {
        self.remove();
        self.none.wait_for_completion();
    }
}
