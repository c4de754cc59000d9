// SPDX-License-Identifier: GPL-2.0

//! A small file system in memory: the default handler of a scripted daemon.
//!
//! Single-threaded and simple; a test overrides operations with [`Memfs::on`] or by looking at a
//! request before it asks [`Memfs::handle`]. Counts lookups, so that FORGETs can be balanced.

use std::collections::{BTreeMap, HashMap};

use crate::errno::*;
use crate::lock::Locks;
use crate::poll::poll_out;
use crate::reply::{
    as_long_as_then, attr_out, dirent, getxattr_out, ioctl_out, open_out, statx_out, write_out,
    Answer, Attr, Entry, Statfs, Valid, EPOCH, LONG, ZERO,
};
use crate::request::Request;
use crate::wire::*;

/// When everything here was made.
pub const BIRTH: (i64, u32) = (EPOCH as i64 - 1, 7);

/// Whose set-id bits a daemon clears when data change or a file changes hands; a file's
/// capabilities go with each such change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Killpriv {
    /// Nobody's: the kernel asks for another mode.
    Kernel,
    /// Everybody's, as HANDLE_KILLPRIV wants it.
    All,
    /// Those of requests that say so, as HANDLE_KILLPRIV_V2 wants it.
    Told,
}

/// A file, directory or link.
#[derive(Clone, Debug)]
pub struct Node {
    pub attr: Attr,
    pub data: Vec<u8>,
    pub children: BTreeMap<String, u64>,
    pub parent: u64,
    /// References that the kernel holds.
    pub lookups: u64,
    /// Flags given with each open of it, beside those of [`Memfs::open_flags`].
    pub open_flags: u32,
    /// Extended attributes, which [`Memfs::xattrs`] switches on.
    pub xattrs: BTreeMap<String, Vec<u8>>,
    /// `FS_*_FL`.
    pub flags: [u8; 4],
    /// `struct fsxattr`.
    pub fsx: [u8; 28],
}

/// A mode without the bits that lend rights: set-group-id is something else where the group may not
/// execute.
pub fn without_set_id(mode: u32) -> u32 {
    let group = libc::S_ISGID | libc::S_IXGRP;
    let sgid = if mode & group == group {
        libc::S_ISGID
    } else {
        0
    };
    mode & !(libc::S_ISUID | sgid)
}

/// The file system.
pub struct Memfs {
    pub nodes: HashMap<u64, Node>,
    pub entry_valid: Valid,
    pub attr_valid: Valid,
    /// Flags given with each open of a file.
    pub open_flags: u32,
    /// Flags given with each open of a directory.
    pub opendir_flags: u32,
    /// It knows extended attributes; off, it says ENOSYS.
    pub xattrs: bool,
    /// It knows commands of ioctl(2), likewise: those of files' attributes, and of all others each
    /// gives back what it was given.
    pub ioctls: bool,
    /// It clears set-id bits and capabilities.
    pub killpriv: Killpriv,
    /// Locks that it has granted.
    pub locks: Locks,
    /// What all files are ready for; none, and it does not know POLL.
    pub ready: Option<u32>,
    /// Answers fixed by the test.
    pub fixed: HashMap<Op, Answer>,
    /// Panic if a FORGET gives back more than was given; off where replies are changed on their
    /// way.
    pub check_forgets: bool,
    next: u64,
    next_fh: u64,
}

impl Default for Memfs {
    fn default() -> Memfs {
        Memfs::new()
    }
}

impl Memfs {
    pub fn new() -> Memfs {
        let root = Node {
            attr: Attr::dir(ROOT),
            data: vec![],
            children: BTreeMap::new(),
            parent: ROOT,
            lookups: 1,
            open_flags: 0,
            xattrs: BTreeMap::new(),
            flags: [0; 4],
            fsx: [0; 28],
        };
        Memfs {
            nodes: HashMap::from([(ROOT, root)]),
            entry_valid: LONG,
            attr_valid: LONG,
            open_flags: 0,
            opendir_flags: 0,
            xattrs: false,
            ioctls: false,
            killpriv: Killpriv::Kernel,
            locks: Locks::default(),
            ready: None,
            fixed: HashMap::new(),
            check_forgets: true,
            next: 2,
            next_fh: 100,
        }
    }

    /// Answers this operation always so.
    pub fn on(&mut self, op: Op, a: Answer) {
        self.fixed.insert(op, a);
    }

    /// Adds a node below `parent`.
    pub fn add(&mut self, parent: u64, name: &str, mode: u32, data: &[u8]) -> u64 {
        let id = self.next;
        self.next += 1;
        let dir = mode & libc::S_IFMT == libc::S_IFDIR;
        let mut attr = Attr::file(id, data.len() as u64).mode(mode);
        if dir {
            attr.nlink = 2;
            attr.size = 4096;
        }
        let n = Node {
            attr,
            data: data.to_vec(),
            children: BTreeMap::new(),
            parent,
            lookups: 0,
            open_flags: 0,
            xattrs: BTreeMap::new(),
            flags: [0; 4],
            fsx: [0; 28],
        };
        self.nodes.insert(id, n);
        if let Some(p) = self.nodes.get_mut(&parent) {
            p.children.insert(name.into(), id);
            if dir {
                p.attr.nlink += 1;
            }
        }
        id
    }

    /// A plain file below the root.
    pub fn file(&mut self, name: &str, data: &[u8]) -> u64 {
        self.add(ROOT, name, libc::S_IFREG | 0o644, data)
    }

    /// A directory below the root.
    pub fn dir(&mut self, name: &str) -> u64 {
        self.add(ROOT, name, libc::S_IFDIR | 0o755, &[])
    }

    /// Nodes, without the root, that the kernel still refers to.
    pub fn held(&self) -> Vec<(u64, u64)> {
        let mut v: Vec<_> = self
            .nodes
            .iter()
            .filter(|n| *n.0 != ROOT && n.1.lookups > 0)
            .map(|n| (*n.0, n.1.lookups))
            .collect();
        v.sort();
        v
    }

    fn node(&mut self, id: u64) -> Result<&mut Node, Errno> {
        self.nodes.get_mut(&id).ok_or(ESTALE)
    }

    fn entry(&mut self, id: u64) -> Result<Vec<u8>, Errno> {
        let (e, a) = (self.entry_valid, self.attr_valid);
        let n = self.node(id)?;
        n.lookups += 1;
        Ok(Entry::new(n.attr).entry_valid(e).attr_valid(a).bytes())
    }

    fn child(&mut self, dir: u64, name: &str) -> Result<u64, Errno> {
        self.node(dir)?.children.get(name).copied().ok_or(ENOENT)
    }

    fn make(&mut self, r: &Request, name: &str, mode: u32, data: &[u8]) -> Result<u64, Errno> {
        if self.child(r.node, name).is_ok() {
            return Err(EEXIST);
        }
        let id = self.add(r.node, name, mode, data);
        let n = self.node(id)?;
        (n.attr.uid, n.attr.gid) = (r.uid, r.gid);
        Ok(id)
    }

    fn remove(&mut self, dir: u64, name: &str) -> Result<(), Errno> {
        let id = self.child(dir, name)?;
        self.node(dir)?.children.remove(name);
        let n = self.node(id)?;
        let was_dir = n.attr.mode & libc::S_IFMT == libc::S_IFDIR;
        n.attr.nlink = if was_dir {
            0
        } else {
            n.attr.nlink.saturating_sub(1)
        };
        self.reap(id);
        if was_dir {
            let nlink = &mut self.node(dir)?.attr.nlink;
            *nlink = nlink.saturating_sub(1);
        }
        Ok(())
    }

    fn reap(&mut self, id: u64) {
        if self
            .nodes
            .get(&id)
            .is_some_and(|n| n.lookups == 0 && n.attr.nlink == 0)
        {
            self.nodes.remove(&id);
        }
    }

    fn handle_new(&mut self) -> u64 {
        self.next_fh += 1;
        self.next_fh
    }

    /// Answers a request.
    pub fn handle(&mut self, r: &Request) -> Answer {
        if let Some(a) = self.fixed.get(&r.op) {
            return a.clone();
        }
        if matches!(r.op, Op::FORGET | Op::BATCH_FORGET) {
            for (n, c) in r.forgets() {
                if let Some(node) = self.nodes.get_mut(&n) {
                    assert!(
                        node.lookups >= c || !self.check_forgets,
                        "FORGET {c} of node {n}, which has {}",
                        node.lookups
                    );
                    node.lookups = node.lookups.saturating_sub(c);
                }
                self.reap(n);
            }
            return Answer::None;
        }
        if matches!(r.op, Op::INTERRUPT | Op::NOTIFY_REPLY) {
            return Answer::None;
        }
        match self.work(r) {
            Ok(b) => Answer::Ok(as_long_as_then(r, b)),
            Err(e) => Answer::Err(e),
        }
    }

    fn work(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let names = r.names();
        let name = names.first().map_or("", String::as_str);
        let valid = self.attr_valid;
        match r.op {
            Op::LOOKUP => self.lookup(r.node, name),
            Op::GETATTR => Ok(attr_out(valid, &self.node(r.node)?.attr)),
            Op::SETATTR => self.setattr(r),
            Op::STATX => {
                let all = libc::STATX_BASIC_STATS | libc::STATX_BTIME;
                Ok(statx_out(valid, all, &self.node(r.node)?.attr, BIRTH))
            }
            Op::READLINK => Ok(self.node(r.node)?.data.clone()),
            Op::SYMLINK => {
                let id = self.make(r, name, libc::S_IFLNK | 0o777, names[1].as_bytes())?;
                self.entry(id)
            }
            Op::MKNOD => {
                let id = self.make(r, name, r.get("mode") as u32, &[])?;
                self.node(id)?.attr.rdev = r.get("rdev") as u32;
                self.entry(id)
            }
            Op::MKDIR => {
                let id = self.make(r, name, libc::S_IFDIR | r.get("mode") as u32, &[])?;
                self.entry(id)
            }
            Op::UNLINK => self.remove(r.node, name).map(|()| vec![]),
            Op::RMDIR => {
                let id = self.child(r.node, name)?;
                self.empty(id)?;
                self.remove(r.node, name).map(|()| vec![])
            }
            Op::RENAME | Op::RENAME2 => self.rename(r, &names),
            Op::LINK => self.link(r, name),
            Op::OPEN => self.open(r),
            Op::OPENDIR => Ok(open_out(self.handle_new(), self.opendir_flags)),
            Op::CREATE => {
                let id = self.made_or_found(r, name)?;
                let mut b = self.entry(id)?;
                b.extend(open_out(self.handle_new(), self.open_flags));
                Ok(b)
            }
            Op::TMPFILE => {
                // In no directory.
                let id = self.add(0, "", r.get("mode") as u32, &[]);
                let n = self.node(id)?;
                (n.attr.nlink, n.attr.uid, n.attr.gid) = (0, r.uid, r.gid);
                let mut b = self.entry(id)?;
                b.extend(open_out(self.handle_new(), self.open_flags));
                Ok(b)
            }
            Op::READ => self.read(r),
            Op::WRITE => self.write(r),
            Op::STATFS => Ok(Statfs {
                blocks: 1000,
                bfree: 500,
                bavail: 400,
                files: 100,
                ffree: 50,
                bsize: 4096,
                namelen: 255,
                frsize: 4096,
            }
            .bytes()),
            Op::READDIR | Op::READDIRPLUS => self.readdir(r),
            Op::GETXATTR | Op::LISTXATTR | Op::SETXATTR | Op::REMOVEXATTR if self.xattrs => {
                self.xattr(r, name)
            }
            Op::IOCTL if self.ioctls => self.ioctl(r),
            Op::GETLK | Op::SETLK | Op::SETLKW => self.locks.work(r),
            Op::FLUSH | Op::RELEASE => {
                self.locks.closed(r);
                Ok(vec![])
            }
            Op::RELEASEDIR | Op::FSYNC | Op::FSYNCDIR | Op::ACCESS | Op::DESTROY => Ok(vec![]),
            Op::POLL => self.ready.map(poll_out).ok_or(ENOSYS),
            _ => Err(ENOSYS),
        }
    }

    fn xattr(&mut self, r: &Request, name: &str) -> Result<Vec<u8>, Errno> {
        let xattrs = &mut self.node(r.node)?.xattrs;
        let value = match r.op {
            Op::GETXATTR => xattrs.get(name).ok_or(ENODATA)?.clone(),
            Op::LISTXATTR => xattrs
                .keys()
                .flat_map(|n| format!("{n}\0").into_bytes())
                .collect(),
            Op::SETXATTR => {
                match (r.get("flags") as i32, xattrs.contains_key(name)) {
                    (libc::XATTR_CREATE, true) => return Err(EEXIST),
                    (libc::XATTR_REPLACE, false) => return Err(ENODATA),
                    _ => xattrs.insert(name.into(), r.tail()[name.len() + 1..].to_vec()),
                };
                return Ok(vec![]);
            }
            _ => return xattrs.remove(name).ok_or(ENODATA).map(|_| vec![]),
        };
        match r.get("size") as usize {
            0 => Ok(getxattr_out(value.len() as u32)),
            size if size < value.len() => Err(ERANGE),
            _ => Ok(value),
        }
    }

    fn ioctl(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let (cmd, n) = (r.get("cmd") as u32, self.node(r.node)?);
        // What is behind is asked for where a caller's own command comes here.
        let mut data = match cmd {
            FS_IOC_GETFLAGS => n.flags.to_vec(),
            FS_IOC_FSGETXATTR => n.fsx.to_vec(),
            _ => r.tail().to_vec(),
        };
        match (cmd, r.tail()) {
            (FS_IOC_SETFLAGS, flags) => n.flags.copy_from_slice(&flags[..4]),
            (FS_IOC_FSSETXATTR, fsx) => n.fsx.copy_from_slice(fsx),
            _ => {}
        }
        data.resize(r.get("out_size") as usize, b'.');
        Ok(ioctl_out(0, &data))
    }

    fn lookup(&mut self, dir: u64, name: &str) -> Result<Vec<u8>, Errno> {
        let id = match name {
            "." => dir,
            ".." => self.node(dir)?.parent,
            _ => self.child(dir, name)?,
        };
        self.entry(id)
    }

    fn link(&mut self, r: &Request, name: &str) -> Result<Vec<u8>, Errno> {
        let id = r.get("oldnodeid");
        if self.child(r.node, name).is_ok() {
            return Err(EEXIST);
        }
        self.node(id)?.attr.nlink += 1;
        self.node(r.node)?.children.insert(name.into(), id);
        self.entry(id)
    }

    /// What CREATE opens. Somebody else may have made it since the kernel has looked.
    fn made_or_found(&mut self, r: &Request, name: &str) -> Result<u64, Errno> {
        match self.child(r.node, name) {
            Ok(id) if r.get("flags") as i32 & libc::O_EXCL == 0 => {
                self.cut_off(id, r)?;
                Ok(id)
            }
            _ => self.make(r, name, r.get("mode") as u32, &[]),
        }
    }

    /// What O_TRUNC does.
    fn cut_off(&mut self, id: u64, r: &Request) -> Result<(), Errno> {
        if r.get("flags") as i32 & libc::O_TRUNC != 0 {
            let n = self.node(id)?;
            n.data.clear();
            n.attr.size = 0;
            self.kill(id, r.get("open_flags") as u32 & FUSE_OPEN_KILL_SUIDGID != 0)?;
        }
        Ok(())
    }

    fn open(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        self.cut_off(r.node, r)?;
        let flags = self.node(r.node)?.open_flags;
        Ok(open_out(self.handle_new(), self.open_flags | flags))
    }

    /// A change before which privileges go.
    fn kill(&mut self, id: u64, told: bool) -> Result<(), Errno> {
        let killpriv = self.killpriv;
        let n = self.node(id)?;
        if killpriv != Killpriv::Kernel {
            n.xattrs.remove("security.capability");
        }
        if killpriv == Killpriv::All || killpriv == Killpriv::Told && told {
            n.attr.mode = without_set_id(n.attr.mode);
        }
        Ok(())
    }

    fn read(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let n = self.node(r.node)?;
        let from = (r.get("offset") as usize).min(n.data.len());
        let to = (from + r.get("size") as usize).min(n.data.len());
        Ok(n.data[from..to].to_vec())
    }

    fn write(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let n = self.node(r.node)?;
        let (off, data) = (r.get("offset") as usize, r.tail());
        let end = off + data.len();
        if n.data.len() < end {
            n.data.resize(end, 0);
        }
        n.data[off..end].copy_from_slice(data);
        n.attr.size = n.data.len() as u64;
        let told = r.get("write_flags") as u32 & FUSE_WRITE_KILL_SUIDGID != 0;
        self.kill(r.node, told)?;
        Ok(write_out(data.len() as u32))
    }

    fn setattr(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let valid = r.get("valid") as u32;
        let v = self.attr_valid;
        let n = self.node(r.node)?;
        let a = &mut n.attr;
        if valid & FATTR_MODE != 0 {
            a.mode = a.mode & libc::S_IFMT | r.get("mode") as u32 & 0o7777;
        }
        if valid & FATTR_UID != 0 {
            a.uid = r.get("uid") as u32;
        }
        if valid & FATTR_GID != 0 {
            a.gid = r.get("gid") as u32;
        }
        if valid & FATTR_SIZE != 0 {
            a.size = r.get("size");
            n.data.resize(a.size as usize, 0);
        }
        if valid & FATTR_ATIME != 0 {
            (a.atime, a.atimensec) = (r.get("atime"), r.get("atimensec") as u32);
        }
        if valid & FATTR_MTIME != 0 {
            (a.mtime, a.mtimensec) = (r.get("mtime"), r.get("mtimensec") as u32);
        }
        if valid & FATTR_CTIME != 0 {
            (a.ctime, a.ctimensec) = (r.get("ctime"), r.get("ctimensec") as u32);
        }
        if valid & (FATTR_UID | FATTR_GID | FATTR_SIZE) != 0 {
            self.kill(r.node, valid & FATTR_KILL_SUIDGID != 0)?;
        }
        Ok(attr_out(v, &self.node(r.node)?.attr))
    }

    fn rename(&mut self, r: &Request, names: &[String]) -> Result<Vec<u8>, Errno> {
        let flags = if r.op == Op::RENAME2 {
            r.get("flags") as u32
        } else {
            0
        };
        let newdir = r.get("newdir");
        let id = self.child(r.node, &names[0])?;
        let old = self.child(newdir, &names[1]).ok();
        if flags & libc::RENAME_NOREPLACE != 0 && old.is_some() {
            return Err(EEXIST);
        }
        if flags & libc::RENAME_EXCHANGE != 0 {
            let other = old.ok_or(ENOENT)?;
            self.node(r.node)?.children.insert(names[0].clone(), other);
            self.moved(other, newdir, r.node)?;
        } else {
            if let Some(old) = old {
                self.empty(old)?;
                self.remove(newdir, &names[1])?;
            }
            self.node(r.node)?.children.remove(&names[0]);
        }
        self.node(newdir)?.children.insert(names[1].clone(), id);
        self.moved(id, r.node, newdir)?;
        Ok(vec![])
    }

    /// What is in a directory cannot be removed with it.
    fn empty(&mut self, id: u64) -> Result<(), Errno> {
        if self.node(id)?.children.is_empty() {
            Ok(())
        } else {
            Err(ENOTEMPTY)
        }
    }

    /// A directory is a link to the one that it is in.
    fn moved(&mut self, id: u64, from: u64, to: u64) -> Result<(), Errno> {
        let n = self.node(id)?;
        n.parent = to;
        if from != to && n.attr.mode & libc::S_IFMT == libc::S_IFDIR {
            let nlink = &mut self.node(from)?.attr.nlink;
            *nlink = nlink.saturating_sub(1);
            self.node(to)?.attr.nlink += 1;
        }
        Ok(())
    }

    fn readdir(&mut self, r: &Request) -> Result<Vec<u8>, Errno> {
        let n = self.node(r.node)?;
        let mut all = vec![(r.node, ".".to_string()), (n.parent, "..".to_string())];
        all.extend(n.children.iter().map(|c| (*c.1, c.0.clone())));
        let (from, size) = (r.get("offset") as usize, r.get("size") as usize);
        let mut b = Vec::new();
        for (i, (id, name)) in all.iter().enumerate().skip(from) {
            let typ = self.nodes.get(id).map_or(0, |n| (n.attr.mode >> 12) & 15);
            let d = dirent(*id, i as u64 + 1, typ, name.as_bytes());
            let unsaid = match r.op {
                Op::READDIRPLUS => Entry::negative(ZERO).bytes(),
                _ => vec![],
            };
            if b.len() + unsaid.len() + d.len() > size {
                break;
            }
            b.extend(match r.op {
                Op::READDIRPLUS if i >= 2 => self.entry(*id)?,
                _ => unsaid,
            });
            b.extend(d);
        }
        Ok(b)
    }
}
