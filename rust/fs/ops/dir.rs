// SPDX-License-Identifier: GPL-2.0

//! The operations of directories, and of inodes in general: which function does what.
//!
//! C counterpart: the tables at the end of dir.c. Takes no locks.

use crate::{
    fs::{
        attr::{
            getattr,
            permission,
            setattr, //
        },
        dir::{
            atomic_open,
            create,
            readdir,
            remove, //
        },
        file::fuse_file::FuseFile,
        name::lookup,
        Dentry,
        File,
        Fuse,
        Inode,
        OpeningFile, //
    },
    kapi::vfs::{
        attr::Iattr,
        dentry::{
            NamedDentry,
            UnhashedDentry, //
        },
        dir_context::DirContext,
        file_operations::{
            FileOperations,
            FileOperationsTable, //
        },
        inode_operations::{
            AtomicOpen,
            InodeOperations,
            InodeOperationsTable, //
        },
        kstat::Kstat,
        mnt_idmapping::MntIdmap,
        namei::LookupFlags,
        rcu_walk::RcuInode,
        stat::S_IFREG, //
    },
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// The inode operations of directories.
pub(in crate::fs) static DIR_INODE_OPERATIONS: InodeOperationsTable<Fuse> =
    InodeOperationsTable::new::<DirInodeOperations>();

/// The inode operations of all but directories and symbolic links.
pub(in crate::fs) static COMMON_INODE_OPERATIONS: InodeOperationsTable<Fuse> =
    InodeOperationsTable::new::<CommonInodeOperations>();

/// The file operations of directories.
pub(in crate::fs) static DIR_OPERATIONS: FileOperationsTable<Fuse> =
    FileOperationsTable::new::<DirOperations>()
        .generic_file_llseek()
        .generic_read_dir();

enum DirInodeOperations {}

#[vtable]
impl InodeOperations<Fuse> for DirInodeOperations {
    fn lookup(
        dir: &Inode,
        dentry: UnhashedDentry<'_, Fuse>,
        _flags: LookupFlags,
    ) -> Result<Option<ARef<Dentry>>> {
        lookup::lookup(dir, dentry)
    }

    fn atomic_open(
        dir: &Inode,
        dentry: NamedDentry<'_, Fuse>,
        file: &OpeningFile,
        flags: u32,
        mode: u16,
    ) -> Result<AtomicOpen<Fuse>> {
        atomic_open::atomic_open(dir, dentry, file, flags, mode)
    }

    fn create(_idmap: &MntIdmap, dir: &Inode, dentry: NamedDentry<'_, Fuse>, mode: u16) -> Result {
        create::mknod(dir, dentry, mode | S_IFREG, 0)
    }

    fn mknod(
        _idmap: &MntIdmap,
        dir: &Inode,
        dentry: NamedDentry<'_, Fuse>,
        mode: u16,
        rdev: u32,
    ) -> Result {
        create::mknod(dir, dentry, mode, rdev)
    }

    fn mkdir(
        _idmap: &MntIdmap,
        dir: &Inode,
        dentry: NamedDentry<'_, Fuse>,
        mode: u16,
    ) -> Result<Option<ARef<Dentry>>> {
        create::mkdir(dir, dentry, mode)
    }

    fn symlink(
        _idmap: &MntIdmap,
        dir: &Inode,
        dentry: NamedDentry<'_, Fuse>,
        target: &[u8],
    ) -> Result {
        create::symlink(dir, dentry, target)
    }

    fn link(old: &Dentry, dir: &Inode, new: NamedDentry<'_, Fuse>) -> Result {
        create::link(old, dir, new)
    }

    fn unlink(dir: &Inode, dentry: NamedDentry<'_, Fuse>) -> Result {
        remove::unlink(dir, dentry)
    }

    fn rmdir(dir: &Inode, dentry: NamedDentry<'_, Fuse>) -> Result {
        remove::rmdir(dir, dentry)
    }

    fn rename(
        _idmap: &MntIdmap,
        old_dir: &Inode,
        old: NamedDentry<'_, Fuse>,
        new_dir: &Inode,
        new: NamedDentry<'_, Fuse>,
        flags: u32,
    ) -> Result {
        remove::rename(old_dir, old, new_dir, new, flags)
    }

    fn permission(idmap: &MntIdmap, inode: &Inode, mask: u32) -> Result {
        permission::permission(idmap, inode, mask)
    }

    fn permission_rcu(idmap: &MntIdmap, inode: &RcuInode<'_, Fuse>, mask: u32) -> Result {
        permission::permission_rcu(idmap, inode, mask)
    }

    fn setattr(idmap: &MntIdmap, dentry: &Dentry, attr: &mut Iattr<Fuse>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn getattr(
        idmap: &MntIdmap,
        dentry: &Dentry,
        stat: &mut Kstat,
        request_mask: u32,
        flags: u32,
    ) -> Result {
        getattr::getattr(idmap, dentry, stat, request_mask, flags)
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

    fn setattr(idmap: &MntIdmap, dentry: &Dentry, attr: &mut Iattr<Fuse>) -> Result {
        setattr::setattr(idmap, dentry, attr)
    }

    fn getattr(
        idmap: &MntIdmap,
        dentry: &Dentry,
        stat: &mut Kstat,
        request_mask: u32,
        flags: u32,
    ) -> Result {
        getattr::getattr(idmap, dentry, stat, request_mask, flags)
    }
}

enum DirOperations {}

#[vtable]
impl FileOperations<Fuse> for DirOperations {
    fn open(inode: &Inode, file: &OpeningFile) -> Result<Arc<FuseFile>> {
        readdir::open(inode, file)
    }

    fn iterate_shared(file: &File, ctx: &mut DirContext) -> Result {
        readdir::readdir(file, ctx)
    }

    fn fsync(file: &File, _start: i64, _end: i64, datasync: bool) -> Result {
        readdir::fsync(file, datasync)
    }

    fn release(_inode: &Inode, file: &File, data: Arc<FuseFile>) {
        data.release(file.flags());
    }
}
