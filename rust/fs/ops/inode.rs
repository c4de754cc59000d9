// SPDX-License-Identifier: GPL-2.0

//! The operations of inodes: which function does what, and which inode has which.
//!
//! C counterpart: the tables at the end of dir.c, `fuse_init_inode()`, `fuse_init_file_inode()`.
//! Takes no locks.

use super::{
    address_space::ADDRESS_SPACE_OPERATIONS,
    file::{
        DIR_OPERATIONS,
        FILE_OPERATIONS, //
    },
};
use crate::{
    abi::{
        Attr,
        FileType, //
    },
    fs::{
        attr::{
            acl,
            getattr,
            permission,
            setattr,
            xattr, //
        },
        data::readlink,
        dir::{
            atomic_open,
            create,
            remove,
            rename, //
        },
        file::fileattr,
        inode::iget::Operations,
        name::lookup,
        Dentry,
        Fuse,
        Inode, //
    },
    kapi::vfs::{
        attr::Iattr,
        dentry::{
            Alias,
            NamedDentry,
            NegativeDentry,
            PositiveDentry,
            UnhashedDentry, //
        },
        fileattr::{
            FileKattr,
            FileattrOperations, //
        },
        iget::{
            InodeKind,
            SpecialNode, //
        },
        inode_operations::{
            AttributeOperations,
            InodeOperations,
            InodeOperationsTable, //
        },
        kstat::Kstat,
        mnt_idmapping::MntIdmap,
        namei::LookupFlags,
        open::{
            AtomicFile,
            AtomicOpen,
            OpenedFile, //
        },
        posix_acl::{
            AclOperations,
            AclType,
            PosixAcl,
            PosixAclRef, //
        },
        rcu_walk::RcuInode,
        stat::{
            new_decode_dev,
            S_IFREG, //
        },
        symlink::{
            LinkFolio,
            LinkSource,
            SymlinkOperations,
            SymlinkTables, //
        },
    },
};
use core::pin::Pin;
use kernel::prelude::*;

impl Operations for Fuse {
    fn inode_kind(attr: Attr<'_>) -> InodeKind<Self> {
        let rdev = || new_decode_dev(attr.rdev().get());
        let special = |node| InodeKind::Special {
            iops: &COMMON_INODE_OPERATIONS,
            node,
        };
        match attr.kind() {
            FileType::Regular => InodeKind::Regular {
                iops: &COMMON_INODE_OPERATIONS,
                fops: &FILE_OPERATIONS,
                aops: &ADDRESS_SPACE_OPERATIONS,
            },
            FileType::Directory => InodeKind::Directory {
                iops: &DIR_INODE_OPERATIONS,
                fops: &DIR_OPERATIONS,
            },
            FileType::Symlink => InodeKind::Symlink {
                tables: &SYMLINK_TABLES,
            },
            FileType::CharDevice => special(SpecialNode::CharDevice(rdev())),
            FileType::BlockDevice => special(SpecialNode::BlockDevice(rdev())),
            FileType::Fifo => special(SpecialNode::Fifo),
            FileType::Socket => special(SpecialNode::Socket),
        }
    }
}

/// The inode operations of directories.
static DIR_INODE_OPERATIONS: InodeOperationsTable<Fuse> =
    InodeOperationsTable::new::<DirInodeOperations, Attributes>()
        .with_acls::<Acls>()
        .with_fileattr::<Fileattr>();

/// The inode operations of all but directories and symbolic links.
static COMMON_INODE_OPERATIONS: InodeOperationsTable<Fuse> =
    InodeOperationsTable::new::<CommonInodeOperations, Attributes>()
        .with_acls::<Acls>()
        .with_fileattr::<Fileattr>();

/// The operations of symbolic links.
static SYMLINK_TABLES: SymlinkTables<Fuse> = SymlinkTables::new::<Links, Attributes>();

enum DirInodeOperations {}

#[vtable]
impl InodeOperations<Fuse> for DirInodeOperations {
    fn lookup<'a>(
        dir: &Inode,
        dentry: UnhashedDentry<'a, Fuse>,
        _flags: LookupFlags,
    ) -> Result<Option<Alias<'a, Fuse>>> {
        lookup::lookup(dir, dentry)
    }

    fn atomic_open<'a>(
        dir: &Inode,
        file: AtomicFile<'a, Fuse>,
        flags: u32,
        mode: u16,
    ) -> Result<AtomicOpen<'a, Fuse>> {
        atomic_open::atomic_open(dir, file, flags, mode)
    }

    fn tmpfile<'a>(
        _idmap: &MntIdmap,
        dir: &Inode,
        file: AtomicFile<'a, Fuse>,
        mode: u16,
    ) -> Result<OpenedFile<'a, Fuse>> {
        atomic_open::tmpfile(dir, file, mode)
    }

    fn create(
        idmap: &MntIdmap,
        dir: &Inode,
        dentry: NegativeDentry<'_, Fuse>,
        mode: u16,
    ) -> Result {
        create::mknod(idmap, dir, dentry, mode | S_IFREG, 0)
    }

    fn mknod(
        idmap: &MntIdmap,
        dir: &Inode,
        dentry: NegativeDentry<'_, Fuse>,
        mode: u16,
        rdev: u32,
    ) -> Result {
        create::mknod(idmap, dir, dentry, mode, rdev)
    }

    fn mkdir<'a>(
        idmap: &MntIdmap,
        dir: &Inode,
        dentry: NegativeDentry<'a, Fuse>,
        mode: u16,
    ) -> Result<Option<Alias<'a, Fuse>>> {
        create::mkdir(idmap, dir, dentry, mode)
    }

    fn symlink(
        idmap: &MntIdmap,
        dir: &Inode,
        dentry: NegativeDentry<'_, Fuse>,
        target: &[u8],
    ) -> Result {
        create::symlink(idmap, dir, dentry, target)
    }

    fn link(old: PositiveDentry<'_, Fuse>, dir: &Inode, new: NegativeDentry<'_, Fuse>) -> Result {
        create::link(old, dir, new)
    }

    fn unlink(dir: &Inode, dentry: NamedDentry<'_, Fuse>) -> Result {
        remove::unlink(dir, dentry)
    }

    fn rmdir(dir: &Inode, dentry: NamedDentry<'_, Fuse>) -> Result {
        remove::rmdir(dir, dentry)
    }

    fn rename(
        idmap: &MntIdmap,
        old_dir: &Inode,
        old: NamedDentry<'_, Fuse>,
        new_dir: &Inode,
        new: NamedDentry<'_, Fuse>,
        flags: u32,
    ) -> Result {
        rename::rename(idmap, old_dir, old, new_dir, new, flags)
    }

    fn permission(idmap: &MntIdmap, inode: &Inode, mask: u32) -> Result {
        permission::permission(idmap, inode, mask)
    }

    fn permission_rcu(idmap: &MntIdmap, inode: &RcuInode<'_, Fuse>, mask: u32) -> Result {
        permission::permission_rcu(idmap, inode, mask)
    }
}

enum CommonInodeOperations {}

#[vtable]
impl InodeOperations<Fuse> for CommonInodeOperations {
    fn permission(idmap: &MntIdmap, inode: &Inode, mask: u32) -> Result {
        permission::permission(idmap, inode, mask)
    }

    fn permission_rcu(idmap: &MntIdmap, inode: &RcuInode<'_, Fuse>, mask: u32) -> Result {
        permission::permission_rcu(idmap, inode, mask)
    }
}

enum Links {}

impl SymlinkOperations<Fuse> for Links {
    fn source(inode: &RcuInode<'_, Fuse>) -> Result<LinkSource> {
        readlink::source(inode)
    }

    fn read_link(inode: &Inode) -> Result<KVVec<u8>> {
        readlink::readlink(inode)
    }

    fn read_folio(folio: LinkFolio<Fuse>) -> Result {
        readlink::read_folio(folio)
    }
}

enum Attributes {}

impl AttributeOperations<Fuse> for Attributes {
    fn setattr(
        idmap: &MntIdmap,
        dentry: PositiveDentry<'_, Fuse>,
        attr: Pin<&mut Iattr<Fuse>>,
    ) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn getattr(
        idmap: &MntIdmap,
        dentry: PositiveDentry<'_, Fuse>,
        stat: &mut Kstat,
        request_mask: u32,
        flags: u32,
    ) -> Result {
        getattr::getattr(idmap, dentry, stat, request_mask, flags)
    }

    fn listxattr_len(dentry: &Dentry) -> Result<usize> {
        xattr::list_len(dentry)
    }

    fn listxattr(dentry: &Dentry, max: usize) -> Result<KVVec<u8>> {
        xattr::list(dentry, max)
    }
}

enum Acls {}

impl AclOperations<Fuse> for Acls {
    fn get_inode_acl(inode: &Inode, kind: AclType) -> Result<Option<PosixAcl>> {
        acl::get_inode_acl(inode, kind)
    }

    fn get_inode_acl_rcu(inode: &RcuInode<'_, Fuse>, _kind: AclType) -> Result {
        acl::get_inode_acl_rcu(inode)
    }

    fn get_acl(dentry: &Dentry, kind: AclType) -> Result<Option<PosixAcl>> {
        acl::get_acl(dentry, kind)
    }

    fn set_acl(
        idmap: &MntIdmap,
        dentry: &Dentry,
        acl: Option<PosixAclRef<'_>>,
        kind: AclType,
    ) -> Result {
        acl::set_acl(idmap, dentry, acl, kind)
    }
}

enum Fileattr {}

impl FileattrOperations<Fuse> for Fileattr {
    fn fileattr_get(dentry: &Dentry, attr: &mut FileKattr) -> Result {
        fileattr::get(dentry, attr)
    }

    fn fileattr_set(dentry: &Dentry, attr: &FileKattr) -> Result {
        fileattr::set(dentry, attr)
    }
}
