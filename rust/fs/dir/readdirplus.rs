// SPDX-License-Identifier: GPL-2.0

//! What READDIRPLUS says of the names beside what READDIR does: each is linked as if it had been
//! looked up.
//!
//! C counterpart: `fuse_use_readdirplus()`, `fuse_direntplus_link()` (readdir.c).
//!
//! Called with the directory's `i_rwsem` held shared. Sleeps while others look up the same name.
//! Whatever happens, the reference to a node that comes with an entry is taken by an inode, or
//! given back by FORGET.

use crate::{
    abi::{
        Direntplus,
        Direntpluses,
        InitFlags,
        PlusNode,
        SeenEntry, //
    },
    fs::{
        conn::connection::Conn,
        inode::{
            attr_cache::{
                self,
                AskedAt, //
            },
            fuse_inode::State,
            given::Given,
            times::valid_until, //
        },
        name::dentry::NamedAt,
        request::{
            bytes::kept_bytes,
            held::Afterwards, //
        },
        Dentry,
        File,
        Fuse,
        Inode, //
    },
    kapi::{
        task::sched::cond_resched,
        vfs::{
            dentry_lookup::{
                InLookup,
                LockedDir,
                Parallel, //
            },
            dir_context::DirContext, //
        },
    },
    transport::Outcome, //
};
use kernel::{
    prelude::*,
    sync::aref::ARef, //
};

/// Whether to ask for more than the names: always, or where it is likely to be looked at, by a
/// reader that begins, or after somebody has looked at what it was told (`fuse_use_readdirplus()`).
pub(super) fn wanted(dir: &Inode, ctx: &DirContext) -> bool {
    let conn = dir.conn();
    conn.agreed(InitFlags::DO_READDIRPLUS)
        && (!conn.agreed(InitFlags::READDIRPLUS_AUTO)
            || dir.data().state.test_and_clear(State::ADVISE_RDPLUS)
            || ctx.pos() == 0)
}

/// When a READDIRPLUS was sent.
#[derive(Clone, Copy)]
pub(super) struct Asked {
    named: NamedAt,
    attr: AskedAt,
}

impl Asked {
    /// For a request of this directory that is sent after this.
    pub(super) fn now(dir: &Inode) -> Self {
        Self {
            named: NamedAt::now(dir),
            attr: AskedAt::now(dir.conn()),
        }
    }
}

/// Links an entry, if it says what to. Errors are nobody's: the name is looked up when it is
/// needed.
pub(super) fn link(dir: &LockedDir<'_, Fuse>, inode: &Inode, plus: &Direntplus<'_>, asked: Asked) {
    with_node(inode.conn(), plus, |given, entry| {
        let _ = link_entry(dir, inode, plus.dirent.name, given, entry, asked);
    });
}

/// Calls `link` for an entry with a node. The node of one that says something impossible is given
/// back.
fn with_node<'a, 'c>(
    conn: &'c Conn,
    plus: &Direntplus<'a>,
    link: impl FnOnce(Given<&'c Conn>, SeenEntry<'a>),
) {
    match plus.node {
        PlusNode::Unsaid => {}
        PlusNode::Bad(node) => drop(Given::new(conn, node)),
        PlusNode::Found(entry) => link(Given::new(conn, entry.node), entry),
    }
}

/// What becomes of an entry whose name has a dentry.
enum Refreshed<'c> {
    /// It is still the same; the inode has taken the node.
    Yes,
    /// It is, but everything on it fails.
    Bad,
    /// It is something else now.
    No(Given<&'c Conn>),
}

/// Links an entry.
///
/// # Errors
///
/// ENOMEM, EINTR, EIO for a bad inode, those of `d_splice_alias()`: the node has been given back.
fn link_entry(
    dir: &LockedDir<'_, Fuse>,
    inode: &Inode,
    name: &[u8],
    mut given: Given<&Conn>,
    entry: SeenEntry<'_>,
    asked: Asked,
) -> Result {
    // In C, whoever looks this name up and was killed has not let go of it yet.
    inode.await_name(name)?;

    let name = dir.name(name);
    let mut known = name.d_lookup();
    // Ends: each round means that somebody else has looked the name up.
    loop {
        let dentry = match known.take() {
            Some(dentry) => dentry,
            None => match name.d_alloc_parallel()? {
                Parallel::Known(dentry) => dentry,
                Parallel::New(new) => return splice(new, inode, given, entry, asked),
            },
        };
        match refresh(inode, &dentry, given, entry, asked) {
            Refreshed::Yes => return Ok(()),
            Refreshed::Bad => return Err(EIO),
            Refreshed::No(back) => {
                dentry.d_invalidate();
                given = back;
            }
        }
    }
}

/// The entry of a name that has a dentry.
fn refresh<'c>(
    dir: &Inode,
    dentry: &Dentry,
    given: Given<&'c Conn>,
    entry: SeenEntry<'_>,
    asked: Asked,
) -> Refreshed<'c> {
    let inode = match dentry.inode() {
        Some(inode) if inode.nodeid() == entry.node => inode,
        _ => return Refreshed::No(given),
    };
    if inode.is_stale(entry.generation, entry.attr) {
        inode.data().make_bad();
        return Refreshed::No(given);
    }
    if inode.data().is_bad() {
        return Refreshed::Bad;
    }
    inode.forget_acls();
    let asked_attr = AskedAt {
        // The inode has a version that tells.
        evict_ctr: 0,
        ..asked.attr
    };
    let valid = valid_until(entry.attr_valid);
    attr_cache::change_and_count(inode, entry.attr, valid, asked_attr, given);
    told_of(inode);
    dentry.set_named(dir, asked.named, entry.entry_valid);
    Refreshed::Yes
}

/// The entry of a name that has no dentry yet.
fn splice(
    new: InLookup<'_, Fuse>,
    dir: &Inode,
    given: Given<&Conn>,
    entry: SeenEntry<'_>,
    asked: Asked,
) -> Result {
    let inode = (dir.sb().iget_given(given, entry, asked.attr)).map_err(|(e, _)| e)?;
    // A directory may have a dentry elsewhere, which cannot always be moved.
    let kept = inode.is_dir().then(|| inode.clone());
    told_of(&inode);
    // Before others see it: see `lookup::splice()`.
    new.will_be_named(asked.named, entry.entry_valid);
    match new.d_splice_alias(Some(inode)) {
        Ok(dentry) => {
            if kept.is_some() {
                // It may be another one.
                dentry.set_named(dir, asked.named, entry.entry_valid);
            } else {
                dentry.set_findable(dir, asked.named);
            }
            Ok(())
        }
        Err(e) => {
            if let Some(inode) = kept {
                inode.give_back_one();
            }
            Err(e)
        }
    }
}

/// Remembers that nobody has looked at the inode's name since it was told of.
fn told_of(inode: &Inode) {
    if inode.conn().agreed(InitFlags::READDIRPLUS_AUTO) {
        inode.data().state.set(State::INIT_RDPLUS);
    }
}

/// What is done with the answer in place of a caller that has left.
pub(super) fn then_link(
    file: &File,
    asked: Asked,
) -> impl FnOnce(&mut Outcome<'_>) -> Linking + Send + 'static {
    let dir = ARef::from(file.inode());
    let parent = ARef::from(file.dentry());
    move |outcome| Linking {
        dir,
        parent,
        asked,
        bytes: kept_bytes(outcome).unwrap_or_default(),
        at: 0,
    }
}

/// An answer whose caller has left. Names that nobody has looked up get no dentries, but inodes
/// take what is said of them, and the nodes.
pub(super) struct Linking {
    dir: ARef<Inode>,
    parent: ARef<Dentry>,
    asked: Asked,
    bytes: KVVec<u8>,
    /// Where the next entry is.
    at: usize,
}

impl Afterwards for Linking {
    /// Goes on with the entries up to one whose file has pages that others have locked. They are
    /// dropped before the next one: what keeps them locked may be an answer that is only taken by
    /// this very task.
    fn before(&mut self) -> bool {
        let conn = self.dir.conn();
        let mut entries = Direntpluses::new(self.bytes.get(self.at..).unwrap_or_default());
        while let Some(Ok(plus)) = entries.next() {
            with_node(conn, &plus, |given, entry| {
                link_behind(
                    &self.parent,
                    &self.dir,
                    plus.dirent.name,
                    given,
                    entry,
                    self.asked,
                );
            });
            if conn.left.has_rest() {
                self.at = self.bytes.len().saturating_sub(entries.rest().len());
                return true;
            }
            cond_resched();
        }
        self.at = self.bytes.len();
        self.dir.invalidate_atime();
        true
    }
}

/// As [`link_entry`], without anything that might wait for others.
fn link_behind(
    parent: &Dentry,
    dir: &Inode,
    name: &[u8],
    given: Given<&Conn>,
    entry: SeenEntry<'_>,
    asked: Asked,
) {
    let given = match parent.d_lookup(name) {
        None => given,
        Some(dentry) => match refresh(dir, &dentry, given, entry, asked) {
            Refreshed::Yes | Refreshed::Bad => return,
            Refreshed::No(given) => {
                dentry.drop_behind();
                given
            }
        },
    };
    // Without memory the node is given back.
    let _ = dir.sb().iget_given(given, entry, asked.attr);
}
