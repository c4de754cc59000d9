// SPDX-License-Identifier: GPL-2.0

//! File handles of a daemon without EXPORT_SUPPORT: name_to_handle_at(2) and open_by_handle_at(2)
//! work as long as the inode is cached, and the daemon is asked nothing for them.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::Attr;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Entry, Mock};
use suites::setting::Setting;

pub fn cases() -> Vec<Case> {
    cases![
        handle_bytes,
        handle_without_room,
        handle_opens_file,
        handle_opens_directory,
        handle_opens_unlinked,
        handle_stale,
        handle_malformed,
        handle_of_dropped_name,
        handle_of_dropped_name_with_inval_wq,
        handle_of_dropped_directory,
    ]
}

pub(crate) const AT_HANDLE_CONNECTABLE: i32 = 0x002;
pub(crate) const AT_HANDLE_FID: i32 = 0x200;
/// `FILEID_INO64_GEN` and `FILEID_INO64_GEN_PARENT`.
const ALONE: u32 = 0x81;
const WITH_PARENT: u32 = 0x82;
/// What the VFS adds to the type.
const IS_CONNECTABLE: u32 = 0x10000;
const IS_DIR: u32 = 0x20000;

/// `struct file_handle`, in words: bytes, type, and what the filesystem put in.
pub(crate) type Handle = Vec<u32>;

/// name_to_handle_at(2) with room for so many words.
fn handle_with_room(p: &Path, flags: i32, room: usize) -> (Res<()>, Handle) {
    let mut h = vec![0u32; 2 + room];
    h[0] = room as u32 * 4;
    let (mut id, p) = (0i32, mockd::mount::path(p));
    // SAFETY: a C string and places for handle and id.
    let r = check(unsafe {
        libc::syscall(
            libc::SYS_name_to_handle_at,
            libc::AT_FDCWD,
            p.as_ptr(),
            h.as_mut_ptr(),
            &mut id,
            flags,
        )
    });
    (r.map(drop), h)
}

/// name_to_handle_at(2).
pub(crate) fn handle_of(p: &Path, flags: i32) -> Res<Handle> {
    let (r, mut h) = handle_with_room(p, flags, 32);
    r?;
    h.truncate(2 + h[0] as usize / 4);
    Ok(h)
}

/// open_by_handle_at(2), on the mount that `mnt` is in.
pub(crate) fn open_by_handle(mnt: &Path, h: &[u32], flags: i32) -> Res<OwnedFd> {
    let root = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
    open_by_handle_at(&root, h, flags)
}

/// The same, on the mount that something open is in.
pub(crate) fn open_by_handle_at(at: &OwnedFd, h: &[u32], flags: i32) -> Res<OwnedFd> {
    let mut h = h.to_vec();
    // SAFETY: a whole handle; the descriptor is new.
    unsafe {
        Ok(OwnedFd::from_raw_fd(check(libc::syscall(
            libc::SYS_open_by_handle_at,
            at.as_raw_fd(),
            h.as_mut_ptr(),
            flags | libc::O_CLOEXEC,
        ))? as i32))
    }
}

/// Node, halves first, and generation, on every kind of request for a handle.
fn handle_bytes() {
    ktap::needs("CONFIG_FHANDLE");
    let node = 0x1234_5678_9abc_def0;
    let of_f = [0x1234_5678, 0x9abc_def0, 0x55];
    let of_d = [0, 3, 0];
    let alone = |words: [u32; 3], flags: u32| [&[12, ALONE | flags], &words[..]].concat();
    let mut m = Mock::new();
    let c = m.caller(|mnt, _| {
        let mut all: Vec<Handle> = Vec::new();
        for (name, flags) in [
            ("", 0),
            ("", AT_HANDLE_FID),
            ("d", 0),
            ("d", AT_HANDLE_FID),
            ("d", AT_HANDLE_CONNECTABLE),
            ("d/f", 0),
            ("d/f", AT_HANDLE_FID),
            ("d/f", AT_HANDLE_CONNECTABLE),
        ] {
            all.push(handle_of(&mnt.join(name), flags)?);
        }
        Res::Ok(all)
    });
    let all: Res<Vec<Handle>> = m.serve(c, &mut |r| match (r.op, r.name().as_str()) {
        (Op::LOOKUP, "d") => Answer::Ok(Entry::new(Attr::dir(3)).bytes()),
        (Op::LOOKUP, "f") => Answer::Ok(
            Entry {
                generation: 0x55,
                node,
                ..Entry::new(Attr::file(7, 0))
            }
            .bytes(),
        ),
        _ => Answer::None,
    });
    let root = [0, ROOT as u32, 0];
    let with_parent = [&[24, WITH_PARENT | IS_CONNECTABLE], &of_f[..], &of_d[..]].concat();
    assert_eq!(
        all,
        Ok(vec![
            alone(root, 0),
            alone(root, 0),
            alone(of_d, 0),
            alone(of_d, 0),
            alone(of_d, IS_CONNECTABLE | IS_DIR),
            alone(of_f, 0),
            alone(of_f, 0),
            with_parent,
        ])
    );
    m.finish();
}

/// The caller is told how much is needed, and nothing else.
fn handle_without_room() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"");
    let all: Vec<(Res<()>, Handle)> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        [
            (0, 0),
            (0, 2),
            (AT_HANDLE_FID, 2),
            (AT_HANDLE_CONNECTABLE, 5),
        ]
        .map(|(flags, room)| handle_with_room(&f, flags, room))
        .into()
    });
    for (i, bytes) in [12, 12, 12, 24].into_iter().enumerate() {
        assert_eq!(all[i].0, Err(EOVERFLOW));
        assert_eq!(all[i].1[0], bytes);
        assert!(all[i].1[2..].iter().all(|w| *w == 0));
    }
    m.finish();
}

/// The name that leads there is looked up the next time.
fn handle_opens_file() {
    ktap::needs("CONFIG_FHANDLE");
    for connectable in [0, AT_HANDLE_CONNECTABLE] {
        let (mut m, mut fs) = (Mock::new(), Memfs::new());
        let d = fs.dir("d");
        fs.add(d, "f", libc::S_IFREG | 0o644, b"hello");
        let r: Res<Vec<u8>> = m.run(&mut fs, |mnt| {
            let p = mnt.join("d/f");
            let h = handle_of(&p, connectable)?;
            let fd = open_by_handle(mnt, &h, libc::O_RDONLY)?;
            let got = user::pread(&fd, 10, 0)?;
            user::lstat(&p)?;
            user::lstat(&p)?;
            Ok(got)
        });
        assert_eq!(r, Ok(b"hello".to_vec()));
        assert_eq!(m.rec.count(Op::OPEN), 1);
        // Of "d" and "f", and of "f" again.
        assert_eq!(m.rec.count(Op::LOOKUP), 3);
        m.finish();
    }
}

fn handle_opens_directory() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "e", libc::S_IFDIR | 0o755, &[]);
    let r: Res<Vec<u64>> = m.run(&mut fs, |mnt| {
        let mut inos = Vec::new();
        for name in ["", "d", "d/e"] {
            let h = handle_of(&mnt.join(name), 0)?;
            let fd = open_by_handle(mnt, &h, libc::O_RDONLY | libc::O_DIRECTORY)?;
            inos.push(user::fstat(&fd)?.ino);
            user::getdents(&fd, 4096)?;
        }
        user::lstat(&mnt.join("d/e"))?;
        Ok(inos)
    });
    assert_eq!(r, Ok(vec![ROOT, 2, 3]));
    m.finish();
}

/// Opens a file by its handle when it is forgotten, for which RELEASEs must have ended.
fn open_forgotten(m: &mut Mock, fs: &mut Memfs, h: &[u32]) -> Res<()> {
    m.forget_all(fs);
    assert_eq!(fs.held(), []);
    m.run(fs, |mnt| open_by_handle(mnt, h, libc::O_RDONLY).map(drop))
}

/// As long as somebody has it open.
fn handle_opens_unlinked() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"hello");
    let (h, got): (Handle, Res<Vec<u8>>) = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let h = handle_of(&p, 0).expect("handle");
        let first = user::open(&p, libc::O_RDONLY, 0).expect("open");
        user::unlink(&p).expect("unlink");
        let got = open_by_handle(mnt, &h, libc::O_RDONLY).and_then(|fd| user::pread(&fd, 10, 0));
        drop(first);
        (h, got)
    });
    assert_eq!(got, Ok(b"hello".to_vec()));
    assert_eq!(open_forgotten(&mut m, &mut fs, &h), Err(ESTALE));
    m.finish();
}

/// What is not cached, or is another object by now, is not asked for.
fn handle_stale() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let f = fs.file("f", b"");
    let (h, r): (Handle, Vec<Res<()>>) = m.run(&mut fs, |mnt| {
        let open = |h: &[u32]| open_by_handle(mnt, h, libc::O_RDONLY).map(drop);
        let h = handle_of(&mnt.join("f"), 0).expect("handle");
        let with = |i: usize, word: u32| {
            let mut h = h.clone();
            h[i] = word;
            open(&h)
        };
        let all = vec![open(&h), with(2, 1), with(3, 77), with(3, 0), with(4, 1)];
        (h, all)
    });
    let stale = Err(ESTALE);
    assert_eq!(r, [Ok(()), stale, stale, stale, stale]);
    assert_eq!(open_forgotten(&mut m, &mut fs, &h), stale);
    println!("{f}: {:?}", m.rec.forgets());
    m.finish();
}

/// Of another type, too short or too long.
fn handle_malformed() {
    ktap::needs("CONFIG_FHANDLE");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let open = |h: &[u32]| open_by_handle(mnt, h, libc::O_RDONLY).map(drop);
        let f = handle_of(&mnt.join("d/f"), 0).expect("handle")[2..].to_vec();
        let d = handle_of(&mnt.join("d"), 0).expect("handle")[2..].to_vec();
        let with = |kind: u32, words: &[&[u32]]| {
            let words = words.concat();
            open(&[&[words.len() as u32 * 4, kind], &words[..]].concat())
        };
        let mut all = Vec::new();
        for kind in [1, ALONE, WITH_PARENT, 0xfe] {
            for words in [
                &[][..],
                &[&f[..2]],
                &[&f],
                &[&f, &d[..2]],
                &[&f, &d],
                &[&f, &d, &[7; 26]],
            ] {
                all.push(with(kind, words));
                all.push(with(kind | IS_CONNECTABLE, words));
            }
        }
        all
    });
    println!("{r:?}");
    let good = r.iter().filter(|r| r.is_ok()).count();
    assert!(good > 0 && good < r.len());
    m.finish_compared();
}

/// A watch keeps the inode when its name goes from the cache. Gives the watch.
fn watch_and_drop_name(p: &Path) -> Res<OwnedFd> {
    let path = mockd::mount::path(p);
    // SAFETY: a C string; the descriptor is new.
    let fd = unsafe {
        let fd = OwnedFd::from_raw_fd(check(libc::inotify_init1(libc::IN_CLOEXEC))? as i32);
        check(libc::inotify_add_watch(
            fd.as_raw_fd(),
            path.as_ptr(),
            libc::IN_ATTRIB,
        ))?;
        fd
    };
    // What was used a moment ago is spared the first time.
    for _ in 0..4 {
        user::drop_dentries();
    }
    Ok(fd)
}

/// What is found has no name; the next lookup gives it one.
fn dropped_name() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"hello");
    let r: Res<(Vec<u8>, String, u64, Vec<u8>)> = m.run(&mut fs, |mnt| {
        let p = mnt.join("f");
        let h = handle_of(&p, 0)?;
        let watch = watch_and_drop_name(&p)?;
        let fd = open_by_handle(mnt, &h, libc::O_RDWR)?;
        let got = user::pread(&fd, 10, 0)?;
        let name = format!("/proc/self/fd/{}", fd.as_raw_fd());
        let name = user::readlink(Path::new(&name))?;
        user::fchmod(&fd, 0o600)?;
        let ino = user::lstat(&p)?.ino;
        drop(fd);
        let fd = open_by_handle(mnt, &h, libc::O_RDWR)?;
        let again = user::pread(&fd, 10, 0)?;
        drop((watch, fd));
        Ok((got, name, ino, again))
    });
    let hello = b"hello".to_vec();
    assert_eq!(r, Ok((hello.clone(), "/".into(), 2, hello)));
    m.finish();
}

fn handle_of_dropped_name() {
    ktap::needs("CONFIG_FHANDLE");
    ktap::needs("CONFIG_INOTIFY_USER");
    dropped_name();
}

/// It may be in the queue of names that expire.
fn handle_of_dropped_name_with_inval_wq() {
    ktap::needs("CONFIG_FHANDLE");
    ktap::needs("CONFIG_INOTIFY_USER");
    let s = Setting::parameter("inval_wq");
    s.set("5").expect("set");
    dropped_name();
}

/// A directory must be connected to the root, and the daemon is not asked for its parent; a lookup
/// of its name connects it.
fn handle_of_dropped_directory() {
    ktap::needs("CONFIG_FHANDLE");
    ktap::needs("CONFIG_INOTIFY_USER");
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "f", libc::S_IFREG | 0o644, b"");
    let r: (Res<()>, Res<u64>, Res<Vec<String>>) = m.run(&mut fs, |mnt| {
        let p = mnt.join("d");
        let h = handle_of(&p, 0).expect("handle");
        let watch = watch_and_drop_name(&p).expect("watch");
        let open = || open_by_handle(mnt, &h, libc::O_RDONLY | libc::O_DIRECTORY);
        let before = open().map(drop);
        let ino = user::lstat(&p).map(|s| s.ino);
        let names = open().and_then(|fd| {
            let all = user::getdents(&fd, 4096)?;
            Ok(all.into_iter().map(|e| e.3).collect())
        });
        drop(watch);
        (before, ino, names)
    });
    println!("{r:?}");
    assert_eq!((r.0, r.1), (Err(ESTALE), Ok(d)));
    assert!(r.2.is_ok_and(|names| names.contains(&"f".to_string())));
    m.finish();
}
