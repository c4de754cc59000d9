// SPDX-License-Identifier: GPL-2.0

//! Making and opening a file in one: CREATE, and TMPFILE for one without a name.
//!
//! C counterpart: `fuse_atomic_open()`, `fuse_create_open()`, `fuse_tmpfile()` (dir.c).
//!
//! The VFS holds the directory's `i_rwsem`, exclusively if a file may be made; not for TMPFILE,
//! which changes no name. Takes no other locks.

use super::{
    create::{
        self,
        Making, //
    },
    create_ext::Extensions, //
};
use crate::{
    abi::{
        op::{
            Create,
            CreateOut,
            Op,
            Tmpfile, //
        },
        InitFlags,
        OpenOutFlags, //
    },
    fs::{
        file::{
            behind::{
                Closer,
                Created,
                Opened, //
            },
            finish::finish_open,
            fuse_file::{
                FuseFile,
                Kind,
                NewFile, //
            },
        },
        inode::{
            attr_cache::AskedAt,
            given::Given,
            pages, //
        },
        name::{
            dentry::NamedAt,
            doubt::Change,
            lookup::lookup,
            wire_name::wire_name, //
        },
        Dentry,
        Fuse,
        Inode,
        OpeningFile, //
    },
    kapi::vfs::{
        fcntl::{
            O_CREAT,
            O_EXCL,
            O_NOCTTY,
            O_TRUNC, //
        },
        open::{
            AtomicFile,
            AtomicOpen,
            FinishOpen,
            OpenedFile, //
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::{
        aref::ARef,
        Arc, //
    },
};

/// `atomic_open`.
pub(in crate::fs) fn atomic_open<'a>(
    dir: &Inode,
    mut file: AtomicFile<'a, Fuse>,
    flags: u32,
    mode: u16,
) -> Result<AtomicOpen<'a, Fuse>> {
    let conn = dir.conn();
    let entry = file.dentry();

    dir.await_lookup(entry.name())?;
    dir.check_bad()?;
    if let Some(unhashed) = file.in_lookup() {
        let other = lookup(dir, unhashed)?;
        if other.is_some() || entry.inode().is_some() {
            return file.finish_no_open(other);
        }
    }
    if flags & O_CREAT == 0 {
        return file.finish_no_open(None);
    }

    // From here on the file is made or nothing is opened.
    file.set_created();
    let mut file = Some(file);
    let created = conn
        .unless_lacking(Create::OPCODE, || {
            create_open(dir, Makes::Name, &mut file, flags, mode)
        })
        .inspect_err(|e| entry.change_failed(Change::Makes, *e))?;
    if let Some(done) = created {
        return Ok(done.into());
    }
    let mut file = file.ok_or(EIO)?;
    let idmap = file.mnt_idmap();
    create::mknod(idmap, dir, file.negative().ok_or(EEXIST)?, mode, 0)?;
    file.finish_no_open(None)
}

/// `tmpfile`.
pub(in crate::fs) fn tmpfile<'a>(
    dir: &Inode,
    file: AtomicFile<'a, Fuse>,
    mode: u16,
) -> Result<OpenedFile<'a, Fuse>> {
    let flags = file.flags();
    let mut file = Some(file);
    dir.conn()
        .unless_lacking(Tmpfile::OPCODE, || {
            create_open(dir, Makes::NoName, &mut file, flags, mode)
        })?
        .ok_or(EOPNOTSUPP)
}

/// What is made.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Makes {
    /// A file with a name: CREATE.
    Name,
    /// One without: TMPFILE.
    NoName,
}

/// The end of the open, when the VFS has set the file up.
enum Finish {}

impl FinishOpen<Fuse> for Finish {
    fn finish_open(inode: &Inode, file: &OpeningFile, data: &FuseFile) -> Result {
        finish_open(inode, file, data)
    }
}

/// Sends CREATE or TMPFILE (`fuse_create_open()`). Takes the file once the daemon has opened one.
fn create_open<'a>(
    dir: &Inode,
    makes: Makes,
    file: &mut Option<AtomicFile<'a, Fuse>>,
    flags: u32,
    mode: u16,
) -> Result<OpenedFile<'a, Fuse>> {
    let conn = dir.conn();
    let asked = NamedAt::now(dir);
    let (entry, idmap) = match file {
        Some(file) => (file.dentry(), file.mnt_idmap()),
        None => return Err(EIO),
    };
    let mut new_file = Some(NewFile::new(conn, Kind::File)?);

    let flags = flags & !O_NOCTTY;
    let (perm, umask) = conn.masked_perm(mode);
    let ext = Extensions::new(idmap, dir, entry, perm)?;
    let op = Create {
        flags,
        perm,
        umask,
        // With O_EXCL it is a new file, or none.
        kill_suidgid: flags & (O_TRUNC | O_EXCL) == O_TRUNC && conn.kill_suidgid(),
        name: wire_name(entry.name())?,
        ext: Extensions::on_wire(&ext)?,
    };
    let then = || {
        let (dir, dentry) = (ARef::from(dir), ARef::from(entry.dentry()));
        let (file, closer) = (new_file.take(), Closer::current(conn, None));
        move |outcome: &mut Outcome<'_>| {
            let out = match makes {
                Makes::Name => outcome.parse(CreateOut::decode),
                Makes::NoName => outcome.parse(Tmpfile::decode),
            };
            created_behind(&dir, &dentry, flags, file, closer, out)
        }
    };
    let out = match makes {
        Makes::Name => conn.call_then(Making::new(idmap, dir), &op, then),
        Makes::NoName => conn.call_then(Making::new(idmap, dir), &Tmpfile(op), then),
    }?;
    let data = new_file.ok_or(EINTR)?.opened(out.entry.node, out.open);
    open_created(dir, asked, file, flags, &out, data)
}

/// Opens what the daemon has made and opened.
fn open_created<'a>(
    dir: &Inode,
    asked: NamedAt,
    file: &mut Option<AtomicFile<'a, Fuse>>,
    flags: u32,
    out: &CreateOut,
    data: Arc<FuseFile>,
) -> Result<OpenedFile<'a, Fuse>> {
    let conn = dir.conn();
    let given = Given::new(&**conn, out.entry.node);
    let inode = match dir
        .sb()
        .iget_given(given, out.entry.seen(), AskedAt::CREATED)
    {
        Ok(inode) => inode,
        Err((e, given)) => {
            let given = given.keep(conn.clone());
            data.sync_release(without_create(flags), Some(given));
            return Err(e);
        }
    };
    data.attach(&inode);
    let keep_cache = data.open_flags.contains(OpenOutFlags::KEEP_CACHE);

    let Some(mut file) = file.take() else {
        data.sync_release(flags, None);
        return Err(EIO);
    };
    let entry = file.dentry();
    let new = file.negative().ok_or(EEXIST);
    if let Err(e) = new.and_then(|new| new.d_instantiate(inode.clone())) {
        data.sync_release(flags, None);
        return Err(e);
    }
    entry.set_named(dir, asked, out.entry.entry_valid);
    dir.dir_changed();

    if let Err(e) = file.generic_file_open(&inode) {
        data.sync_release(flags, None);
        return Err(e);
    }
    let done = match file.finish_open::<Finish>(data) {
        Ok(done) => done,
        Err((e, data)) => {
            if let Some(data) = data {
                data.sync_release(flags, None);
            }
            return Err(e);
        }
    };
    // Should this fail, the VFS closes the file.
    if conn.agreed(InitFlags::ATOMIC_O_TRUNC) && flags & O_TRUNC != 0 {
        pages::truncate(&inode, 0)?;
    } else if !keep_cache {
        pages::drop_clean(&inode)?;
    }
    Ok(done)
}

/// Takes the answer in place of a caller that has left. Nobody has the name.
fn created_behind(
    dir: &Inode,
    dentry: &Dentry,
    flags: u32,
    file: Option<NewFile>,
    closer: Closer,
    out: Result<CreateOut>,
) -> Option<Created> {
    match out {
        Ok(_) => dentry.drop_behind(),
        Err(e) => dentry.change_failed_behind(Change::Makes, e),
    }
    let (out, file) = (out.ok()?, file?);
    dir.dir_changed();
    let file = file.opened(out.entry.node, out.open);
    let given = Given::new(dir.conn().clone(), out.entry.node);
    let inode = dir
        .sb()
        .iget_given(given, out.entry.seen(), AskedAt::CREATED);
    Some(match inode {
        Ok(inode) => Created::Opened(Opened::new(inode, file, flags & !O_TRUNC, closer)),
        Err((_, given)) => {
            file.set_left_by(closer.pid());
            Created::GivenBack(file.give_back(without_create(flags), Some(given)))
        }
    })
}

/// The flags of a file that has been made, for RELEASE.
fn without_create(flags: u32) -> u32 {
    flags & !(O_CREAT | O_EXCL | O_TRUNC)
}
