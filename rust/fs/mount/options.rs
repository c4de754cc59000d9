// SPDX-License-Identifier: GPL-2.0

//! A mount in the making: its options, and getting from them to a superblock.
//!
//! C counterpart: `fuse_parse_param`, `fuse_get_tree`, `fuse_fill_super` (inode.c). The VFS holds
//! the context's mutex, and `s_umount` while a superblock is filled.

use super::{
    init,
    superblock::Mount, //
};
use crate::{
    abi::{
        mode::S_IALLUGO,
        FileType, //
    },
    control::connections::{
        self,
        Connection, //
    },
    fs::{
        conn::{
            connection::{
                Conn,
                ConnParams, //
            },
            left::LeftTable, //
        },
        name::{
            dentry,
            expiry, //
        },
        notify::notified,
        ops::superblock,
        Fuse, //
    },
    kapi::{
        fuse::numbers::FUSE_SUPER_MAGIC,
        lib::random::get_random_u32s,
        sync::rcu::RcuArc,
        task::uidgid::{
            invalid_uid,
            kgid_has_mapping,
            kuid_has_mapping,
            Kgid,
            Kuid, //
        },
        vfs::{
            fs_context::{
                FsContext,
                FsContextOperations, //
            },
            fs_parameter::{
                self,
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
            super_block::{
                NewSuperBlock,
                MAX_LFS_FILESIZE,
                SB_I_IMA_UNVERIFIABLE_SIGNATURE,
                SB_I_NOIDMAP,
                SB_I_NO_DATA_INTEGRITY,
                SB_I_UNTRUSTED_MOUNTER,
                SB_I_VERSION,
                SB_MANDLOCK,
                SB_NOSEC,
                SB_POSIXACL, //
            },
        },
    },
    transport::{
        suspend,
        Chan,
        Device, //
    },
};
use kernel::{
    fs::File,
    page::PAGE_SHIFT,
    prelude::*,
    sync::Arc, //
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

/// The options of type `fuse`.
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

/// Percent of the dirty pages that one mount may have; the administrator can raise it in
/// /sys/class/bdi.
const BDI_MAX_RATIO: u32 = 1;

/// The smallest `max_read` in bytes; less is taken for this.
const MIN_MAX_READ: u32 = 4096;

/// A mount in the making (`struct fuse_fs_context`).
pub(crate) struct MountContext {
    dev: Option<Arc<Device>>,
    subtype: Option<ParamString>,
    /// Type and permissions of the root.
    rootmode: Option<(FileType, u16)>,
    user_id: Option<Kuid>,
    group_id: Option<Kgid>,
    default_permissions: bool,
    allow_other: bool,
    max_read: u32,
}

impl MountContext {
    /// One without options.
    pub(in crate::fs) fn new() -> Result<KBox<Self>> {
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
            },
            GFP_KERNEL,
        )?)
    }

    /// The device whose reader will be the daemon.
    fn set_dev(&mut self, fc: &FsContext<Self>, file: &File) -> Result {
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
    fn conn_params(&self, sb_flags: usize) -> ConnParams {
        ConnParams {
            user_id: self.user_id.unwrap_or(invalid_uid()),
            group_id: self.group_id.unwrap_or(Kgid::INVALID),
            default_permissions: self.default_permissions,
            allow_other: self.allow_other,
            max_read: self.max_read.max(MIN_MAX_READ),
            dont_mask: sb_flags & SB_POSIXACL != 0,
        }
    }
}

#[vtable]
impl FsContextOperations for MountContext {
    type Types = Fuse;

    fn parse_param(&mut self, fc: &FsContext<Self>, param: &mut FsParameter) -> Result {
        if fc.is_reconfigure() {
            // mount(2) with MS_REMOUNT has always ignored the options.
            return if fc.oldapi() {
                Ok(())
            } else {
                Err(fc.invalfc(c"No changes allowed in reconfigure"))
            };
        }

        let (opt, result) = fs_parse(fc, PARAMETERS, param)?;
        match opt {
            OPT_SOURCE => {
                if let Some(source) = param.take_string() {
                    if fc.set_source(source).is_err() {
                        return Err(fc.invalfc(c"Multiple sources specified"));
                    }
                }
            }
            OPT_SUBTYPE => {
                if self.subtype.is_some() {
                    return Err(fc.invalfc(c"Multiple subtypes specified"));
                }
                self.subtype = param.take_string();
            }
            OPT_FD => match param.file() {
                Some(file) => self.set_dev(fc, file)?,
                None => self.set_dev(fc, &*fs_parameter::fget(result.uint_32())?)?,
            },
            OPT_ROOTMODE => {
                let mode = result.uint_32();
                let Some(kind) = FileType::from_mode(mode) else {
                    return Err(fc.invalfc(c"Invalid rootmode"));
                };
                self.rootmode = Some((kind, (mode & S_IALLUGO) as u16));
            }
            OPT_USER_ID => {
                if !kuid_has_mapping(fc.user_ns(), result.uid()) {
                    return Err(fc.invalfc(c"Invalid user_id"));
                }
                self.user_id = Some(result.uid());
            }
            OPT_GROUP_ID => {
                if !kgid_has_mapping(fc.user_ns(), result.gid()) {
                    return Err(fc.invalfc(c"Invalid group_id"));
                }
                self.group_id = Some(result.gid());
            }
            OPT_DEFAULT_PERMISSIONS => self.default_permissions = true,
            OPT_ALLOW_OTHER => self.allow_other = true,
            OPT_MAX_READ => self.max_read = result.uint_32(),
            OPT_BLKSIZE => return Err(fc.invalfc(c"blksize only supported for fuseblk")),
            _ => return Err(EINVAL),
        }
        Ok(())
    }

    fn get_tree(&mut self, fc: &FsContext<Self>) -> Result {
        let Some(dev) = self.dev.clone() else {
            return Err(EINVAL);
        };
        if dev.is_installed() {
            // A further mount of what the device serves already.
            return fc.get_tree_existing(|sb| dev.is(&sb.data().conn.chan), ENOTCONN);
        }
        let conn = RcuArc::new(Conn::new(
            Chan::new()?,
            self.conn_params(fc.sb_flags()),
            fc.user_ns().into(),
            get_random_u32s(),
            LeftTable::new()?,
        ))?;
        fc.get_tree_nodev(self, Mount { conn })
    }

    fn fill_super(&mut self, _fc: &FsContext<Self>, sb: &mut NewSuperBlock<'_, Fuse>) -> Result {
        let (Some(dev), Some((kind, perm)), Some(_), Some(_)) =
            (&self.dev, self.rootmode, self.user_id, self.group_id)
        else {
            return Err(EINVAL);
        };
        if sb.s_flags() & SB_MANDLOCK != 0 {
            return Err(EINVAL);
        }

        sb.set_s_magic(FUSE_SUPER_MAGIC);
        sb.set_s_op(&superblock::TABLE);
        sb.set_s_maxbytes(MAX_LFS_FILESIZE);
        sb.set_s_time_gran(1);
        sb.add_s_iflags(SB_I_IMA_UNVERIFIABLE_SIGNATURE | SB_I_NOIDMAP | SB_I_NO_DATA_INTEGRITY);
        if !sb.s_user_ns().is_init() {
            sb.add_s_iflags(SB_I_UNTRUSTED_MOUNTER);
        }
        // The umask is ours to apply, or the daemon's: the VFS keeps off.
        sb.change_s_flags(SB_NOSEC | SB_I_VERSION, SB_POSIXACL);
        sb.set_s_blocksize_bits(PAGE_SHIFT as u8);
        sb.set_s_subtype(self.subtype.take());
        sb.setup_bdi(BDI_MAX_RATIO)?;
        sb.set_default_d_op(&dentry::OPS);

        expiry::add(sb)?;
        let conn = sb.data().conn.clone();
        suspend::add(conn.chan.clone())?;
        let root = sb.root_inode(kind, perm)?;
        let root = sb.d_make_root(root)?;

        conn.chan.set_connection(sb.s_dev());
        notified::set_up(sb)?;
        connections::add(Connection::new(
            sb.s_dev(),
            conn.params.user_id,
            conn.params.group_id,
            conn.chan.clone(),
        )?)?;
        let sync_init = dev.is_sync_init();
        // Of two that mount with one device at the same time, one fails.
        if let Err(e) = conn.chan.install(dev) {
            connections::remove(sb.s_dev());
            return Err(e);
        }
        sb.set_s_root(root);
        init::send(sb, &conn, sync_init)
    }

    fn reconfigure(&mut self, fc: &FsContext<Self>) -> Result {
        if fc.sb_flags() & SB_MANDLOCK != 0 {
            return Err(EINVAL);
        }
        Ok(())
    }
}
