// SPDX-License-Identifier: GPL-2.0

//! Attributes as a daemon reports them.
//!
//! C counterpart: `struct fuse_attr`, `fuse_invalid_attr` (dir.c), and what
//! `fuse_change_attributes_common` (inode.c) clamps. Takes no locks.

use super::{
    codec::Body,
    error::{
        BadAttr,
        BadReply, //
    },
    flags::AttrFlags,
    mode::{
        FileType,
        Rdev,
        S_IALLUGO, //
    },
    time::{
        Timeout,
        Timestamp, //
    },
    version::Minor,
};
use zerocopy_derive::{
    FromBytes,
    Immutable,
    IntoBytes,
    KnownLayout, //
};

/// C: `struct fuse_attr`, unchecked. Daemons before 7.9 do not know the last two fields.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseAttr {
    pub ino: u64,
    pub size: u64,
    pub blocks: u64,
    pub atime: u64,
    pub mtime: u64,
    pub ctime: u64,
    pub atimensec: u32,
    pub mtimensec: u32,
    pub ctimensec: u32,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub rdev: u32,
    pub blksize: u32,
    pub flags: u32,
}

const _: () = assert!(size_of::<FuseAttr>() == 88);

/// C: `struct fuse_attr_out`, unchecked.
#[derive(
    Clone, Copy, PartialEq, Eq, Default, Debug, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
#[allow(missing_docs, reason = "the header's names")]
pub struct FuseAttrOut {
    pub attr_valid: u64,
    pub attr_valid_nsec: u32,
    pub dummy: u32,
    pub attr: FuseAttr,
}

const _: () = assert!(size_of::<FuseAttrOut>() == 104);

/// Bytes of `struct fuse_attr_out` before 7.9.
const COMPAT_ATTR_OUT_SIZE: usize = 96;

impl FuseAttrOut {
    /// Bytes on the wire.
    #[inline]
    pub(super) const fn wire_len(minor: Minor) -> usize {
        if minor.before(9) {
            COMPAT_ATTR_OUT_SIZE
        } else {
            size_of::<Self>()
        }
    }

    /// The replies to GETATTR and SETATTR.
    #[inline(always)]
    pub(super) fn decode(
        body: Body<'_>,
        minor: Minor,
    ) -> Result<Result<AttrReply, BadAttr>, BadReply> {
        let raw: Self = body.short(Self::wire_len(minor))?;
        Ok(Attr::new(&raw.attr).map(|attr| AttrReply {
            attr,
            valid: Timeout::new(raw.attr_valid, raw.attr_valid_nsec),
        }))
    }
}

/// Attributes, checked.
///
/// What is not checked, as in C: that the type is that of the inode (`inode_wrong_type`, which makes
/// the inode bad), and ids, which the daemon's user namespace may not map.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attr {
    /// For `stat`; any number, and not the node.
    pub ino: u64,
    /// Bytes, at most `i64::MAX`.
    pub size: i64,
    /// Units of 512 bytes; any number.
    pub blocks: u64,
    /// Last access.
    pub atime: Timestamp,
    /// Last change of the contents.
    pub mtime: Timestamp,
    /// Last change of contents or attributes.
    pub ctime: Timestamp,
    /// The type.
    pub kind: FileType,
    /// Permissions, set-id and sticky bits: at most 0o7777.
    pub perm: u16,
    /// Links; any number.
    pub nlink: u32,
    /// The owner, in the daemon's user namespace.
    pub uid: u32,
    /// The group, in the daemon's user namespace.
    pub gid: u32,
    /// Of a device.
    pub rdev: Rdev,
    /// The preferred block size as a power of two, at most 31; `None` for the superblock's.
    pub blkbits: Option<u8>,
    /// Known ones only.
    pub flags: AttrFlags,
}

impl Attr {
    /// Checks what a daemon sent.
    ///
    /// # Errors
    ///
    /// [`BadAttr`] for a type that is none, and a size beyond `i64::MAX`.
    #[inline(always)]
    pub fn new(raw: &FuseAttr) -> Result<Self, BadAttr> {
        Ok(Self {
            ino: raw.ino,
            size: i64::try_from(raw.size).map_err(|_| BadAttr)?,
            blocks: raw.blocks,
            atime: Timestamp::from_wire(raw.atime, raw.atimensec),
            mtime: Timestamp::from_wire(raw.mtime, raw.mtimensec),
            ctime: Timestamp::from_wire(raw.ctime, raw.ctimensec),
            kind: FileType::from_mode(raw.mode).ok_or(BadAttr)?,
            perm: (raw.mode & S_IALLUGO) as u16,
            nlink: raw.nlink,
            uid: raw.uid,
            gid: raw.gid,
            rdev: Rdev::from_raw(raw.rdev),
            blkbits: raw.blksize.checked_ilog2().map(|bits| bits as u8),
            flags: AttrFlags::from_bits(raw.flags).masked(AttrFlags::KNOWN),
        })
    }

    /// Type and permissions.
    #[inline]
    pub fn mode(&self) -> u32 {
        self.kind.bits() | u32::from(self.perm)
    }
}

/// The reply to GETATTR and SETATTR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AttrReply {
    /// The attributes.
    pub attr: Attr,
    /// How long they are good.
    pub valid: Timeout,
}
