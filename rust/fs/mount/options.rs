// SPDX-License-Identifier: GPL-2.0

//! A mount in the making: its options.
//!
//! C counterpart: `struct fuse_fs_context`, `fuse_parse_param` (inode.c). The VFS holds the
//! context's mutex. Takes no locks; may sleep.

use crate::{
    abi::{
        mode::S_IALLUGO,
        FileType, //
    },
    fs::conn::connection::ConnParams,
    kapi::{
        task::uidgid::{
            invalid_uid,
            kgid_has_mapping,
            kuid_has_mapping,
            Kgid, //
        },
        vfs::{
            fs_context::{
                FsContext,
                Purpose, //
            },
            fs_parameter::{
                FsParameter,
                ParamString, //
            },
            fs_parser::{
                fs_parse,
                fsparam_fd,
                fsparam_flag,
                fsparam_gid,
                fsparam_string,
                fsparam_u32,
                fsparam_u32oct,
                fsparam_uid,
                FsParameterSpec,
                FsParameterTable, //
            },
            super_block::SB_POSIXACL, //
        },
    },
    transport::Device, //
};
use kernel::{
    fs::File,
    prelude::*,
    sync::Arc,
    task::Kuid, //
};

const OPT_SOURCE: u8 = 0;
const OPT_SUBTYPE: u8 = 1;
const OPT_FD: u8 = 2;
const OPT_ROOTMODE: u8 = 3;
const OPT_USER_ID: u8 = 4;
const OPT_GROUP_ID: u8 = 5;
const OPT_DEFAULT_PERMISSIONS: u8 = 6;
const OPT_ALLOW_OTHER: u8 = 7;
const OPT_MAX_READ: u8 = 8;
const OPT_BLKSIZE: u8 = 9;

/// The options of types `fuse` and `fuseblk`.
pub(in crate::fs) const PARAMETERS: FsParameterTable = {
    static ROWS: [FsParameterSpec; 11] = [
        fsparam_string(c"source", OPT_SOURCE),
        fsparam_fd(c"fd", OPT_FD),
        fsparam_u32oct(c"rootmode", OPT_ROOTMODE),
        fsparam_uid(c"user_id", OPT_USER_ID),
        fsparam_gid(c"group_id", OPT_GROUP_ID),
        fsparam_flag(c"default_permissions", OPT_DEFAULT_PERMISSIONS),
        fsparam_flag(c"allow_other", OPT_ALLOW_OTHER),
        fsparam_u32(c"max_read", OPT_MAX_READ),
        fsparam_u32(c"blksize", OPT_BLKSIZE),
        fsparam_string(c"subtype", OPT_SUBTYPE),
        FsParameterSpec::END,
    ];
    FsParameterTable::new(&ROWS)
};

/// Bytes of a block of type `fuseblk` (`FUSE_DEFAULT_BLKSIZE`).
pub(super) const DEFAULT_BLKSIZE: u32 = 512;

/// The smallest `max_read` in bytes; less is taken for this.
const MIN_MAX_READ: u32 = 4096;

/// A mount in the making (`struct fuse_fs_context`).
pub(in crate::fs) struct MountContext {
    pub(super) dev: Option<Arc<Device>>,
    pub(super) subtype: Option<ParamString>,
    /// Type and permissions of the root.
    pub(super) rootmode: Option<(FileType, u16)>,
    pub(super) user_id: Option<Kuid>,
    pub(super) group_id: Option<Kgid>,
    default_permissions: bool,
    allow_other: bool,
    max_read: u32,
    /// Of type `fuseblk`: bytes of a block.
    pub(super) blksize: Option<u32>,
}

impl MountContext {
    /// One without options, of type `fuse`.
    pub(in crate::fs) fn new() -> Result<KBox<Self>> {
        Self::with(None)
    }

    /// One without options, of type `fuseblk`.
    #[cfg(CONFIG_BLOCK)]
    pub(in crate::fs) fn new_blk() -> Result<KBox<Self>> {
        Self::with(Some(DEFAULT_BLKSIZE))
    }

    fn with(blksize: Option<u32>) -> Result<KBox<Self>> {
        Ok(KBox::new(
            Self {
                dev: None,
                subtype: None,
                rootmode: None,
                user_id: None,
                group_id: None,
                default_permissions: false,
                allow_other: false,
                max_read: u32::MAX,
                blksize,
            },
            GFP_KERNEL,
        )?)
    }

    /// The device whose reader will be the daemon.
    fn set_dev(&mut self, fc: &FsContext, file: &File) -> Result {
        if self.dev.is_some() {
            return Err(fc.invalfc(c"Multiple fd specified"));
        }
        let Ok(dev) = Device::from_file(file) else {
            return Err(fc.invalfc(c"fd is not a fuse device"));
        };
        // The daemon's power over ids ends at its namespace: do not lend it the mounter's.
        if !crate::kapi::task::cred::file_user_ns(file).is(fc.user_ns()) {
            return Err(fc.invalfc(c"wrong user namespace for fuse device"));
        }
        self.dev = Some(dev);
        Ok(())
    }

    /// The connection's share of the options. Missing ones are noticed when the superblock is
    /// filled; until then nobody uses the connection.
    pub(super) fn conn_params(&self, sb_flags: usize) -> ConnParams {
        ConnParams {
            user_id: self.user_id.unwrap_or(invalid_uid()),
            group_id: self.group_id.unwrap_or(Kgid::INVALID),
            default_permissions: self.default_permissions,
            allow_other: self.allow_other,
            max_read: self.max_read.max(MIN_MAX_READ),
            on_bdev: self.blksize.is_some(),
            dont_mask: sb_flags & SB_POSIXACL != 0,
        }
    }

    /// `parse_param`.
    pub(in crate::fs) fn parse_param(&mut self, fc: &FsContext, param: FsParameter<'_>) -> Result {
        if fc.purpose() == Purpose::Reconfigure {
            // mount(2) with MS_REMOUNT has always ignored the options.
            return if fc.oldapi() {
                Ok(())
            } else {
                Err(fc.invalfc(c"No changes allowed in reconfigure"))
            };
        }

        let parsed = fs_parse(fc, PARAMETERS, param)?;
        match parsed.opt() {
            OPT_SOURCE => {
                if let Some(source) = parsed.into_string() {
                    if fc.set_source(source).is_err() {
                        return Err(fc.invalfc(c"Multiple sources specified"));
                    }
                }
            }
            OPT_SUBTYPE => {
                if self.subtype.is_some() {
                    return Err(fc.invalfc(c"Multiple subtypes specified"));
                }
                self.subtype = parsed.into_string();
            }
            OPT_FD => parsed.with_file(|file| self.set_dev(fc, file))?,
            OPT_ROOTMODE => {
                let mode = parsed.uint_32();
                let Some(kind) = FileType::from_mode(mode) else {
                    return Err(fc.invalfc(c"Invalid rootmode"));
                };
                self.rootmode = Some((kind, (mode & S_IALLUGO) as u16));
            }
            OPT_USER_ID => {
                if !kuid_has_mapping(fc.user_ns(), parsed.uid()) {
                    return Err(fc.invalfc(c"Invalid user_id"));
                }
                self.user_id = Some(parsed.uid());
            }
            OPT_GROUP_ID => {
                if !kgid_has_mapping(fc.user_ns(), parsed.gid()) {
                    return Err(fc.invalfc(c"Invalid group_id"));
                }
                self.group_id = Some(parsed.gid());
            }
            OPT_DEFAULT_PERMISSIONS => self.default_permissions = true,
            OPT_ALLOW_OTHER => self.allow_other = true,
            OPT_MAX_READ => self.max_read = parsed.uint_32(),
            OPT_BLKSIZE => {
                let Some(blksize) = &mut self.blksize else {
                    return Err(fc.invalfc(c"blksize only supported for fuseblk"));
                };
                *blksize = parsed.uint_32();
            }
            _ => return Err(EINVAL),
        }
        Ok(())
    }
}
