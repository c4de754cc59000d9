// SPDX-License-Identifier: GPL-2.0

//! File handles of a daemon with EXPORT_SUPPORT: what is not cached is asked for, by a LOOKUP of
//! "." in the node.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{open_out, Attr, ZERO};
use mockd::request::Request;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Caller, Entry, Init, Mock, Setup};
use suites::daemon::until;

use crate::handle::{handle_of, open_by_handle, open_by_handle_at, Handle};

pub fn cases() -> Vec<Case> {
    cases![
        export_file,
        export_directory,
        export_symlink,
        export_special_files,
        export_root,
        export_cached,
        export_name_is_looked_up,
        export_counts_lookups,
        export_before_7_9,
        export_big_numbers,
        export_dot_fails,
        export_dot_is_negative,
        export_dot_is_another,
        export_dot_is_root,
        export_dot_of_another_generation,
        export_dot_bad_attributes,
        export_dot_wrong_length,
        export_dot_changes_type,
        export_interrupted,
        export_killed_before_read,
        export_killed,
        export_killed_and_unmounted,
        export_abort,
        export_two_at_once,
    ]
}

/// A mount of a daemon with that flag.
pub(crate) fn mount_with(flag: &str) -> Mock {
    ktap::needs("CONFIG_FHANDLE");
    Mock::with(&Setup::default(), &Init::plain().with(flag))
}

pub(crate) fn exporting() -> Mock {
    mount_with("EXPORT_SUPPORT")
}

/// Drops all that nobody uses. What was used a moment ago is spared the first time.
pub(crate) fn forget_all() {
    for _ in 0..4 {
        user::drop_caches();
    }
}

/// The handle of a file that has been forgotten since.
fn forgotten(m: &mut Mock, fs: &mut Memfs, name: &str, flags: i32) -> Handle {
    let name = name.to_string();
    let h: Res<Handle> = m.run(fs, move |mnt| {
        let h = handle_of(&mnt.join(name), flags)?;
        forget_all();
        Ok(h)
    });
    h.expect("handle")
}

/// The LOOKUP of a name, which is next but for what opens the root and closes it.
#[track_caller]
pub(crate) fn until_lookup(m: &mut Mock, fs: &mut Memfs, name: &str) -> Request {
    let r = m.serve_until(Op::LOOKUP, fs);
    assert_eq!(r.name(), name);
    r
}

/// "f", which nobody knows any more, somebody who opens it by its handle, and the LOOKUP that is
/// not answered yet.
#[track_caller]
fn asked() -> (Mock, Memfs, Caller, Request) {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let c = m.caller(|mnt, _| open_by_handle(mnt, &h, libc::O_PATH).map(drop));
    let r = until_lookup(&mut m, &mut fs, ".");
    (m, fs, c, r)
}

/// Ends a case in which inodes without a name were open. They are forgotten when RELEASE has ended:
/// in C at once, here by a work item, which is waited for.
pub(crate) fn finish_forgotten(mut m: Mock, mut fs: Memfs) {
    m.forget_all(&mut fs);
    assert_eq!(fs.held(), []);
    m.finish();
}

/// How often "." was looked up.
pub(crate) fn dots(m: &Mock) -> usize {
    let dot = |r: &&Request| r.op == Op::LOOKUP && r.name() == ".";
    m.rec.all().iter().filter(dot).count()
}

/// What a symbolic link that is open says.
fn readlink_fd(fd: &OwnedFd) -> Res<String> {
    let mut b = [0u8; 64];
    // SAFETY: a C string and a buffer of that length.
    let n = check(unsafe {
        let (to, len) = (b.as_mut_ptr().cast(), b.len());
        libc::readlinkat(fd.as_raw_fd(), c"".as_ptr(), to, len) as i64
    })?;
    Ok(String::from_utf8_lossy(&b[..n as usize]).into())
}

fn export_file() {
    for flags in [libc::O_RDONLY, libc::O_RDWR, libc::O_PATH] {
        let (mut m, mut fs) = (exporting(), Memfs::new());
        let d = fs.dir("d");
        fs.add(d, "f", libc::S_IFREG | 0o644, b"hello");
        let h = forgotten(&mut m, &mut fs, "d/f", 0);
        assert_eq!(fs.held(), []);
        let r: Res<(u64, Vec<u8>)> = m.run(&mut fs, |mnt| {
            let fd = open_by_handle(mnt, &h, flags)?;
            let data = match flags {
                libc::O_PATH => vec![],
                _ => user::pread(&fd, 10, 0)?,
            };
            Ok((user::fstat(&fd)?.ino, data))
        });
        let data = if flags == libc::O_PATH {
            &b""[..]
        } else {
            b"hello"
        };
        assert_eq!(r, Ok((3, data.to_vec())));
        assert_eq!(dots(&m), 1);
        finish_forgotten(m, fs);
    }
}

/// It must be connected to the root: each parent is asked for, and the names in it.
fn export_directory() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let d = fs.dir("d");
    let e = fs.add(d, "e", libc::S_IFDIR | 0o755, &[]);
    fs.add(e, "f", libc::S_IFREG | 0o644, b"");
    let h = forgotten(&mut m, &mut fs, "d/e", 0);
    let r: Res<(String, Vec<String>)> = m.run(&mut fs, |mnt| {
        let fd = open_by_handle(mnt, &h, libc::O_RDONLY | libc::O_DIRECTORY)?;
        let name = user::readlink(Path::new(&format!("/proc/self/fd/{}", fd.as_raw_fd())))?;
        let all = user::getdents(&fd, 4096)?;
        let at = name.strip_prefix(mnt.to_str().expect("utf-8"));
        Ok((
            at.unwrap_or(&name).to_string(),
            all.into_iter().map(|e| e.3).collect(),
        ))
    });
    let names = [".", "..", "f"].map(String::from).to_vec();
    assert_eq!(r, Ok(("/d/e".into(), names)));
    m.finish();
}

/// Only a descriptor for paths can be had of it.
fn export_symlink() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.add(ROOT, "l", libc::S_IFLNK | 0o777, b"text");
    let h = forgotten(&mut m, &mut fs, "l", 0);
    let r: (Res<String>, Res<()>) = m.run(&mut fs, |mnt| {
        let open = |flags| open_by_handle(mnt, &h, flags);
        let text = open(libc::O_PATH | libc::O_NOFOLLOW).and_then(|fd| readlink_fd(&fd));
        (text, open(libc::O_RDONLY).map(drop))
    });
    assert_eq!(r, (Ok("text".into()), Err(ELOOP)));
    m.finish();
}

fn export_special_files() {
    for kind in [libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFCHR, libc::S_IFBLK] {
        let (mut m, mut fs) = (exporting(), Memfs::new());
        fs.add(ROOT, "s", kind | 0o644, b"");
        let h = forgotten(&mut m, &mut fs, "s", 0);
        let r: Res<u32> = m.run(&mut fs, |mnt| {
            let fd = open_by_handle(mnt, &h, libc::O_PATH)?;
            Ok(user::fstat(&fd)?.mode & libc::S_IFMT)
        });
        assert_eq!(r, Ok(kind));
        m.finish();
    }
}

/// It is always there.
fn export_root() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let h = forgotten(&mut m, &mut fs, "", 0);
    let r: Res<u64> = m.run(&mut fs, |mnt| {
        user::fstat(&open_by_handle(mnt, &h, libc::O_RDONLY)?).map(|s| s.ino)
    });
    assert_eq!((r, dots(&m)), (Ok(ROOT), 0));
    m.finish();
}

/// Nor is anything asked that is known.
fn export_cached() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let h = handle_of(&mnt.join("f"), 0)?;
        open_by_handle(mnt, &h, libc::O_RDONLY).map(drop)
    });
    assert_eq!((r, dots(&m)), (Ok(()), 0));
    m.finish();
}

/// What is found has no name; who looks for its name asks, and both are one.
fn export_name_is_looked_up() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let r: Res<(u64, u64)> = m.run(&mut fs, |mnt| {
        let fd = open_by_handle(mnt, &h, libc::O_RDWR)?;
        user::fchmod(&fd, 0o600)?;
        let named = user::lstat(&mnt.join("f"))?;
        assert_eq!(named.mode & 0o777, 0o600);
        Ok((user::fstat(&fd)?.ino, named.ino))
    });
    assert_eq!(r, Ok((2, 2)));
    // The first one, that of ".", and that of the name.
    assert_eq!(m.rec.count(Op::LOOKUP), 3);
    m.finish();
}

/// Each LOOKUP of "." is given back by FORGET.
fn export_counts_lookups() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let d = fs.dir("d");
    fs.add(d, "e", libc::S_IFDIR | 0o755, &[]);
    fs.file("f", b"");
    for name in ["f", "d/e"] {
        let h = forgotten(&mut m, &mut fs, name, 0);
        for _ in 0..3 {
            let r: Res<()> = m.run(&mut fs, |mnt| {
                open_by_handle(mnt, &h, libc::O_PATH).map(drop)
            });
            assert_eq!(r, Ok(()));
            // When what was opened on the way is closed.
            m.run(&mut fs, |_| forget_all());
            assert_eq!(fs.held(), [], "{name}");
        }
    }
    m.finish();
}

/// The flag meant nothing then.
fn export_before_7_9() {
    ktap::needs("CONFIG_FHANDLE");
    for (minor, result) in [(8, Err(ESTALE)), (9, Ok(()))] {
        let init = Init {
            minor,
            ..Init::plain().with("EXPORT_SUPPORT")
        };
        let (mut m, mut fs) = (Mock::with(&Setup::default(), &init), Memfs::new());
        fs.file("f", b"");
        let c = m.caller(|mnt, _| {
            let h = handle_of(&mnt.join("f"), 0)?;
            forget_all();
            open_by_handle(mnt, &h, libc::O_RDONLY).map(drop)
        });
        let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
        assert_eq!(r, result, "7.{minor}");
        finish_forgotten(m, fs);
    }
}

/// All bits of the node are in the handle, and all that inodes keep of the generation.
fn export_big_numbers() {
    for (node, generation) in [
        (u64::MAX, 0u64),
        (1 << 63, u64::from(u32::MAX)),
        (0xffff_ffff, 1 << 32),
        (1 << 32, 0x1234_5678_9abc_def0),
    ] {
        let mut m = exporting();
        let entry = Entry {
            node,
            generation,
            ..Entry::new(Attr::file(7, 0))
        };
        let c = m.caller(|mnt, _| {
            let h = handle_of(&mnt.join("f"), 0)?;
            forget_all();
            open_by_handle(mnt, &h, libc::O_PATH).map(drop)
        });
        let mut dots = vec![];
        let r: Res<()> = m.serve(c, &mut |r| {
            if r.op == Op::LOOKUP && r.name() == "." {
                dots.push(r.node);
            }
            match r.op {
                Op::LOOKUP => Answer::Ok(entry.bytes()),
                Op::OPENDIR => Answer::Ok(open_out(1, 0)),
                _ => Answer::None,
            }
        });
        assert_eq!((r, dots), (Ok(()), vec![node]), "{node:#x} {generation:#x}");
        m.finish();
    }
}

/// What open_by_handle_at(2) says if the LOOKUP of "." of a file is answered so.
fn answered(answer: Answer) -> Res<()> {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let c = m.caller(|mnt, _| open_by_handle(mnt, &h, libc::O_PATH).map(drop));
    let r = m.serve(c, &mut |r| match r.op {
        Op::LOOKUP => answer.clone(),
        Op::FORGET | Op::BATCH_FORGET => Answer::None,
        _ => fs.handle(r),
    });
    assert_eq!(dots(&m), 1);
    m.finish();
    r
}

/// The VFS takes most errors for a handle that is stale.
fn export_dot_fails() {
    for e in [
        ENOENT,
        ESTALE,
        ENOSYS,
        EIO,
        EACCES,
        ENOTCONN,
        ENAMETOOLONG,
        EOPNOTSUPP,
        EINTR,
        EAGAIN,
    ] {
        assert_eq!(answered(Answer::Err(e)), Err(ESTALE), "{e}");
    }
    assert_eq!(answered(Answer::Err(ENOMEM)), Err(ENOMEM));
}

fn export_dot_is_negative() {
    for valid in [ZERO, mockd::reply::LONG] {
        let answer = Answer::Ok(Entry::negative(valid).bytes());
        assert_eq!(answered(answer), Err(ESTALE));
    }
}

fn file(node: u64) -> Entry {
    Entry::new(Attr::file(node, 0))
}

fn export_dot_is_another() {
    assert_eq!(answered(Answer::Ok(file(2).bytes())), Ok(()));
    assert_eq!(answered(Answer::Ok(file(77).bytes())), Err(ESTALE));
}

fn export_dot_is_root() {
    let root = Entry::new(Attr::dir(ROOT));
    assert_eq!(answered(Answer::Ok(root.bytes())), Err(ESTALE));
}

/// The node was given to another file.
fn export_dot_of_another_generation() {
    for (generation, result) in [(0, Ok(())), (1, Err(ESTALE)), (1 << 32, Ok(()))] {
        let entry = Entry {
            generation,
            ..file(2)
        };
        assert_eq!(
            answered(Answer::Ok(entry.bytes())),
            result,
            "{generation:#x}"
        );
    }
}

fn export_dot_bad_attributes() {
    for mode in [0, 0o170000, 0o644] {
        let entry = Entry::new(Attr::file(2, 0).mode(mode));
        assert_eq!(answered(Answer::Ok(entry.bytes())), Err(ESTALE), "{mode:o}");
    }
    let huge = Entry::new(Attr::file(2, 1 << 63));
    assert_eq!(answered(Answer::Ok(huge.bytes())), Err(ESTALE));
}

/// The daemon is told at once, and the caller gets EIO, of which ESTALE is made.
fn export_dot_wrong_length() {
    use mockd::reply::message;
    for len in [0, 1, 40, 127, 129] {
        let (m, _, c, r) = asked();
        let mut body = file(2).bytes();
        body.resize(len, 0);
        assert_eq!(m.write(&message(r.unique, 0, &body)), Err(EINVAL), "{len}");
        assert_eq!(c.join::<Res<()>>(), Err(ESTALE), "{len}");
        m.finish();
    }
}

/// A file may have become a directory: its generation alone is compared.
fn export_dot_changes_type() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let c = m.caller(|mnt, _| {
        let fd = open_by_handle(mnt, &h, libc::O_PATH)?;
        Res::Ok(user::fstat(&fd)?.mode & libc::S_IFMT)
    });
    let r: Res<u32> = m.serve(c, &mut |r| match (r.op, r.name().as_str()) {
        (Op::LOOKUP, ".") => Answer::Ok(Entry::new(Attr::symlink(2, 3)).bytes()),
        (Op::FORGET | Op::BATCH_FORGET, _) => Answer::None,
        _ => fs.handle(r),
    });
    assert_eq!(r, Ok(libc::S_IFLNK));
    m.finish();
}

/// A signal is passed on, and the caller waits for the answer.
fn export_interrupted() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let c = m.caller(|mnt, _| {
        user::catch_signal(libc::SIGUSR1, false);
        open_by_handle(mnt, &h, libc::O_PATH).map(drop)
    });
    let r = until_lookup(&mut m, &mut fs, ".");
    c.kill(libc::SIGUSR1);
    let int = m.expect(Op::INTERRUPT);
    assert_eq!(int.get("unique"), r.unique);
    m.fail(&r, EINTR);
    assert_eq!(c.join::<Res<()>>(), Err(ESTALE));
    m.finish();
}

/// A request that was not read is taken back.
fn export_killed_before_read() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    let mut c = m.caller(|mnt, io| {
        let root = user::open(mnt, libc::O_RDONLY | libc::O_DIRECTORY, 0)?;
        io.wait();
        open_by_handle_at(&root, &h, libc::O_PATH).map(drop)
    });
    let r = m.expect(Op::OPENDIR);
    m.reply(&r, &open_out(1, 0));
    c.go();
    until("the LOOKUP", || m.pending().then_some(()));
    c.kill(libc::SIGKILL);
    c.reap();
    m.drain(&mut |r| fs.handle(r));
    assert_eq!(dots(&m), 0);
    m.finish();
}

/// Of a caller that was killed the answer is taken, and given back.
fn export_killed() {
    let (mut m, mut fs, mut c, r) = asked();
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    let a = fs.handle(&r);
    m.answer(&r, &a).expect("answer");
    c.reap();
    // The inode is nobody's, and as good as any other that is cached.
    let got: Res<u64> = m.run(&mut fs, |mnt| user::lstat(&mnt.join("f")).map(|s| s.ino));
    assert_eq!(got, Ok(2));
    m.finish();
}

/// Such a caller keeps nobody from unmounting, once it has gone.
fn export_killed_and_unmounted() {
    let (mut m, _, mut c, r) = asked();
    c.kill(libc::SIGKILL);
    m.expect(Op::INTERRUPT);
    m.fail(&r, ENOENT);
    c.reap();
    m.finish();
}

fn export_abort() {
    let (m, _, c, _) = asked();
    let mnt = m.die();
    assert_eq!(c.join::<Res<()>>(), Err(ESTALE));
    mockd::mount::umount(&mnt, 0).expect("umount");
}

/// Two that ask for the same node get the same inode.
fn export_two_at_once() {
    let (mut m, mut fs) = (exporting(), Memfs::new());
    let f = fs.file("f", b"");
    let h = forgotten(&mut m, &mut fs, "f", 0);
    // One after the other, so that it is clear whose descriptor of the root is the first.
    let (mut callers, all): (Vec<_>, Vec<_>) = (0..2)
        .map(|_| {
            let h = h.clone();
            let c = m.caller(move |mnt, io| {
                let fd = open_by_handle(mnt, &h, libc::O_PATH);
                io.put(fd.as_ref().map(|_| ()).map_err(|e| *e));
                io.wait();
            });
            (c, until_lookup(&mut m, &mut fs, "."))
        })
        .unzip();
    for r in &all {
        let a = fs.handle(r);
        m.answer(r, &a).expect("answer");
    }
    for c in &mut callers {
        assert_eq!(c.get::<Res<()>>(), Ok(()));
    }
    assert_eq!(fs.held(), [(f, 2)]);
    for c in callers {
        c.go();
        c.join::<()>();
    }
    m.finish();
}
