// SPDX-License-Identifier: GPL-2.0

//! What calls work on: names that play a part in a call, and a small tree of files that has them.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use mockd::errno::Res;
use mockd::mem::PAGE;
use mockd::memfs::Memfs;
use mockd::{user, wire};

/// The part that a name plays in a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// The directory in which names are looked up, made and removed.
    Dir,
    /// Another directory, to which things are renamed.
    Far,
    /// A file of [`PAGES`] pages.
    File,
    /// Another file.
    Other,
    /// A file that is removed or renamed.
    Victim,
    /// An empty directory that is removed or renamed.
    Sub,
    /// A symbolic link.
    Link,
    /// A name that is not there, to be made.
    New,
    /// A name that is not there, to rename to.
    To,
    /// The same in [`Part::Far`].
    FarTo,
    /// A file that nobody has looked up yet.
    Unknown,
    /// A name that is not there and stays so.
    Missing,
    /// A file past the page cache: FOPEN_DIRECT_IO.
    Direct,
    /// The same with FOPEN_PARALLEL_DIRECT_WRITES.
    Parallel,
}

/// How many parts there are.
pub const PARTS: usize = Part::Parallel as usize + 1;

/// Pages of [`Part::File`], [`Part::Direct`] and [`Part::Parallel`].
pub const PAGES: usize = 3;

/// The names that a call works on.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// Below the mount, by [`Part`].
    pub of: [&'static str; PARTS],
    /// The page of a file that is read.
    pub page: usize,
    /// Tells what this caller writes and sets from what another does: 1 or 2.
    pub tag: u8,
}

impl Names {
    /// Those of [`populate`] in the root directory.
    pub const ROOT: Names = Names {
        of: [
            "", "e", "f", "g", "v", "s", "l", "new", "to", "e/to", "n1", "none", "h", "q",
        ],
        page: 2,
        tag: 1,
    };

    /// The same with another name for one part.
    pub const fn with(mut self, part: Part, name: &'static str) -> Names {
        self.of[part as usize] = name;
        self
    }

    /// The name of a part, below the mount.
    pub const fn get(&self, part: Part) -> &'static str {
        self.of[part as usize]
    }
}

/// Makes what the names of [`Names::ROOT`] say, in this directory; `e` stands beside it.
pub fn populate(fs: &mut Memfs, dir: u64) {
    let (file, sub) = (libc::S_IFREG | 0o644, libc::S_IFDIR | 0o755);
    fs.add(dir, "f", file, &[7; PAGES * PAGE]);
    fs.add(dir, "g", file, &[8; 10]);
    let direct = fs.add(dir, "h", file, &[9; PAGES * PAGE]);
    let parallel = fs.add(dir, "q", file, &[10; PAGES * PAGE]);
    for name in ["v", "w", "n1", "n2"] {
        fs.add(dir, name, file, b"text");
    }
    fs.add(dir, "s", sub, &[]);
    fs.add(dir, "s2", sub, &[]);
    fs.add(dir, "l", libc::S_IFLNK | 0o777, b"f");
    // Seen if the daemon knows extended attributes.
    for node in fs.nodes.values_mut() {
        node.xattrs.insert("user.a".into(), b"value".to_vec());
    }
    let flags = [
        (direct, wire::FOPEN_DIRECT_IO),
        (
            parallel,
            wire::FOPEN_DIRECT_IO | wire::FOPEN_PARALLEL_DIRECT_WRITES,
        ),
    ];
    for (node, flags) in flags {
        let node = fs.nodes.get_mut(&node).expect("just made");
        node.open_flags = flags;
    }
}

/// A daemon's files for calls on [`Names::ROOT`].
pub fn sample() -> Memfs {
    let mut fs = Memfs::new();
    populate(&mut fs, wire::ROOT);
    fs.dir("e");
    fs
}

/// Where a call is made: names below a mount.
#[derive(Clone, Debug)]
pub struct Place {
    pub mnt: PathBuf,
    pub names: Names,
    /// Flags with which files are opened besides.
    pub flags: i32,
}

impl Place {
    pub fn new(mnt: &Path, names: Names) -> Place {
        Place {
            mnt: mnt.to_path_buf(),
            names,
            flags: 0,
        }
    }

    /// The path of a part.
    pub fn path(&self, part: Part) -> PathBuf {
        match self.names.get(part) {
            "" => self.mnt.clone(),
            name => self.mnt.join(name),
        }
    }

    /// Looks a part up, so that the call need not.
    pub fn know(&self, part: Part) -> Res<PathBuf> {
        let path = self.path(part);
        user::lstat(&path)?;
        Ok(path)
    }

    pub fn open(&self, part: Part, flags: i32) -> Res<OwnedFd> {
        user::open(&self.path(part), flags | self.flags, 0o644)
    }

    /// Opens to write. The first time that data are changed the kernel asks for this attribute, in
    /// vain: it is asked for here.
    pub fn open_to_write(&self, part: Part, flags: i32) -> Res<OwnedFd> {
        let f = self.open(part, libc::O_RDWR | flags)?;
        let _ = user::fgetxattr(&f, "security.capability", 0);
        Ok(f)
    }

    /// What this caller writes.
    pub fn byte(&self) -> u8 {
        0x40 + self.names.tag
    }
}
