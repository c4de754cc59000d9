// SPDX-License-Identifier: GPL-2.0

//! What is said of a file that is to be made, if the daemon wants to know it: its security context,
//! and whether the caller is in the directory's group.
//!
//! C counterpart: `get_create_ext()` (dir.c). Takes no locks.

use crate::{
    abi::{
        CreateExt,
        InitFlags,
        Name,
        Secctx, //
    },
    fs::{
        Fuse,
        Inode, //
    },
    kapi::{
        task::{
            cred::current_fsgid,
            uidgid::{
                from_kgid,
                Kgid, //
            },
        },
        vfs::{
            dentry::NamedDentry,
            mnt_idmapping::{
                vfsgid_in_group_p,
                MntIdmap, //
            },
            security::DentryContext, //
        },
    }, //
};
use kernel::prelude::*;

/// Those flags that make a daemon want something.
const WANTED: InitFlags = InitFlags::SECURITY_CTX.with(InitFlags::CREATE_SUPP_GROUP);

/// The longest name of an extended attribute in bytes (`XATTR_NAME_MAX`).
const XATTR_NAME_MAX: usize = 255;

/// What is said of a file that is to be made.
pub(super) struct Extensions {
    /// `None` if the daemon does not want it.
    secctx: Option<Option<DentryContext>>,
    group: Option<u32>,
}

impl Extensions {
    /// Of what is to be made as `entry` by the current task, through a mount with that mapping;
    /// `mode` has its type. `None`, without a question, if the daemon has not agreed to either
    /// flag.
    ///
    /// # Errors
    ///
    /// EIO if the directory is bad; those of the security module.
    #[inline]
    pub(super) fn new(
        idmap: &MntIdmap,
        dir: &Inode,
        entry: NamedDentry<'_, Fuse>,
        mode: u32,
    ) -> Result<Option<Self>> {
        let flags = (dir.conn().negotiated()).map_or(InitFlags::EMPTY, |n| n.flags);
        let wanted = flags.masked(WANTED);
        if wanted == InitFlags::EMPTY {
            return Ok(None);
        }
        Self::wanted(wanted, idmap, dir, entry, mode).map(Some)
    }

    #[inline(never)]
    fn wanted(
        wanted: InitFlags,
        idmap: &MntIdmap,
        dir: &Inode,
        entry: NamedDentry<'_, Fuse>,
        mode: u32,
    ) -> Result<Self> {
        dir.check_bad()?;
        let secctx = if wanted.contains(InitFlags::SECURITY_CTX) {
            Some(DentryContext::new(entry, mode)?)
        } else {
            None
        };
        let group = if wanted.contains(InitFlags::CREATE_SUPP_GROUP) {
            supp_group(idmap, dir)
        } else {
            None
        };
        Ok(Self { secctx, group })
    }

    /// For the wire.
    ///
    /// # Errors
    ///
    /// EIO for a context without a name, or longer than the protocol can say.
    pub(super) fn on_wire(this: &Option<Self>) -> Result<CreateExt<'_>> {
        let Some(this) = this else {
            return Ok(CreateExt::NONE);
        };
        let secctx = match &this.secctx {
            None => Secctx::NotAgreed,
            Some(None) => Secctx::None,
            Some(Some(context)) => {
                let (name, context) = (context.name(), context.context());
                if name.len() > XATTR_NAME_MAX || i32::try_from(context.len()).is_err() {
                    return Err(EIO);
                }
                let name = Name::new(name).ok_or(EIO)?;
                Secctx::One { name, context }
            }
        };
        let group = this.group;
        Ok(CreateExt { secctx, group })
    }
}

/// The directory's group as the daemon knows it, if the current task is in it but does not act with
/// it (`get_create_supp_group()`).
fn supp_group(idmap: &MntIdmap, dir: &Inode) -> Option<u32> {
    let user_ns = &dir.conn().user_ns;
    let gid = dir.i_gid();
    let seen = idmap.map_gid(user_ns, gid);
    let group = from_kgid(user_ns, gid)?;
    let own = seen != Kgid::INVALID && seen == current_fsgid();
    (!own && vfsgid_in_group_p(seen)).then_some(group)
}
