// SPDX-License-Identifier: GPL-2.0

//! The operations of dentries: which function does what.
//!
//! C counterpart: `fuse_dentry_operations` (dir.c). Takes no locks.

use crate::{
    fs::{
        name::{
            dentry::FuseDentry,
            revalidate, //
        },
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        dentry_operations::{
            DentryOperations,
            DentryOperationsTable, //
        },
        namei::LookupFlags,
        rcu_walk::{
            RcuDentry,
            RcuInode, //
        },
    },
};
use kernel::prelude::*;

/// The dentry operations.
pub(super) static DENTRY_OPERATIONS: DentryOperationsTable<Fuse> =
    DentryOperationsTable::new::<Operations>();

enum Operations {}

impl DentryOperations<Fuse> for Operations {
    fn d_revalidate(dir: &Inode, name: &[u8], dentry: &Dentry, flags: LookupFlags) -> Result<bool> {
        revalidate::revalidate(dir, name, dentry, flags)
    }

    #[inline]
    fn d_revalidate_rcu(
        dir: &RcuInode<'_, Fuse>,
        dentry: &RcuDentry<'_, Fuse>,
        flags: LookupFlags,
    ) -> Result<bool> {
        revalidate::revalidate_rcu(dir, dentry, flags)
    }

    fn d_delete(data: &FuseDentry) -> bool {
        data.time().has_passed()
    }

    fn d_init() -> FuseDentry {
        FuseDentry::new()
    }
}
