// SPDX-License-Identifier: GPL-2.0

//! The operations of a mount in the making: which function does what.
//!
//! C counterpart: `fuse_context_ops` (inode.c). The VFS holds the context's mutex, and to fill or
//! reconfigure a superblock `s_umount`. Takes no locks; may sleep.

use super::{
    dentry::DENTRY_OPERATIONS,
    superblock::SUPER_OPERATIONS, //
};
use crate::{
    fs::{
        mount::{
            fill::check_flags,
            options::MountContext, //
        },
        Fuse, //
    },
    kapi::vfs::{
        fs_context::{
            FsContext,
            FsContextOperations, //
        },
        fs_parameter::FsParameter,
        super_block::NewSuperBlock, //
    },
};
use kernel::prelude::*;

#[vtable]
impl FsContextOperations for MountContext {
    type Types = Fuse;

    fn parse_param(&mut self, fc: &FsContext<Self>, param: &mut FsParameter) -> Result {
        MountContext::parse_param(self, fc, param)
    }

    fn get_tree(&mut self, fc: &FsContext<Self>) -> Result {
        MountContext::get_tree(self, fc)
    }

    fn fill_super(&mut self, _fc: &FsContext<Self>, sb: &mut NewSuperBlock<'_, Fuse>) -> Result {
        self.check(sb)?;
        sb.set_s_op(&SUPER_OPERATIONS);
        sb.set_default_d_op(&DENTRY_OPERATIONS);
        MountContext::fill_super(self, sb)
    }

    fn reconfigure(&mut self, fc: &FsContext<Self>) -> Result {
        check_flags(fc.sb_flags())
    }
}
