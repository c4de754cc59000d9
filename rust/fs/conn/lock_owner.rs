// SPDX-License-Identifier: GPL-2.0

//! Who holds a lock, as the daemon is told.
//!
//! C counterpart: `fuse_lock_owner_id()` (file.c). Takes no locks.

use super::connection::Conn;
use crate::{
    abi::LockOwner,
    kapi::vfs::file::FlOwner, //
};

impl Conn {
    /// Who holds a lock, as the daemon sees it (`fuse_lock_owner_id()`): always the same number for
    /// the same owner, and nothing that tells a kernel address. XTEA.
    pub(in crate::fs) fn lock_owner(&self, owner: FlOwner) -> LockOwner {
        const DELTA: u32 = 0x9e37_79b9;
        let [k0, k1, k2, k3] = self.scramble_key;
        let key = |i: u32| match i & 3 {
            0 => k0,
            1 => k1,
            2 => k2,
            _ => k3,
        };
        let mix =
            |v: u32, sum: u32, k: u32| ((v << 4 ^ v >> 5).wrapping_add(v)) ^ sum.wrapping_add(k);

        let addr = owner.addr();
        let (mut v0, mut v1, mut sum) = (addr as u32, (addr >> 32) as u32, 0u32);
        for _ in 0..32 {
            v0 = v0.wrapping_add(mix(v1, sum, key(sum)));
            sum = sum.wrapping_add(DELTA);
            v1 = v1.wrapping_add(mix(v0, sum, key(sum >> 11)));
        }
        LockOwner::from_raw(u64::from(v0) | u64::from(v1) << 32)
    }
}
