// SPDX-License-Identifier: GPL-2.0

//! Set-id bits and capabilities, beside the ways of `killpriv_grid`: what is asked how often, what
//! the daemon is told where it is not a matter of course, and what it may answer.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::{Killpriv, Memfs};
use mockd::mock::Answer;
use mockd::reply::ZERO;
use mockd::user;
use mockd::wire::*;
use mockd::{Init, Mock, Setup};

use crate::killpriv_grid::{file, mount};

pub fn cases() -> Vec<Case> {
    cases![
        killpriv_questions,
        killpriv_questions_after_changes,
        killpriv_chmod,
        killpriv_other_kinds,
        killpriv_new_files,
        killpriv_in_user_namespace,
        killpriv_taking_back,
        killpriv_both_flags,
        killpriv_refused_before_write,
        chown_after_mode_changed_elsewhere,
        chown_of_file_without_set_id,
        mode_cannot_be_had,
        write_through_cache_is_told,
        set_group_id_without_execute,
    ]
}

const ALL: [Killpriv; 3] = [Killpriv::Kernel, Killpriv::All, Killpriv::Told];
const STRANGER: u32 = 2000;

/// Requests of this kind that have come.
fn of(m: &Mock, op: Op) -> Vec<mockd::Request> {
    let all = m.rec.all();
    all.into_iter().filter(|r| r.op == op).collect()
}

fn valid(m: &Mock) -> Vec<u32> {
    of(m, Op::SETATTR)
        .iter()
        .map(|r| r.get("valid") as u32)
        .collect()
}

fn mode(fs: &Memfs, id: u64) -> u32 {
    fs.nodes[&id].attr.mode & 0o7777
}

fn write(p: &Path, times: usize) -> Res<()> {
    let f = user::open(p, libc::O_WRONLY, 0)?;
    (0..times).try_for_each(|_| user::pwrite(&f, b"x", 0).map(drop))
}

/// The value of "security.capability": version 2, and no capabilities.
fn capability() -> Vec<u8> {
    let mut b = vec![0; 20];
    b[3] = 2;
    b
}

/// Whether a file has capabilities is asked before each write, unless the daemon clears what it is
/// told to: then the kernel remembers that there are none.
fn killpriv_questions() {
    for (killpriv, asked) in ALL.into_iter().zip([3, 3, 1]) {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        file(&mut fs, "f", 0o755);
        let r: Res<()> = m.run(&mut fs, |mnt| write(&mnt.join("f"), 3));
        assert_eq!(r, Ok(()), "{killpriv:?}");
        assert_eq!(m.rec.count(Op::GETXATTR), asked, "{killpriv:?}");
        m.finish();
    }
}

/// It is asked again when the file may have got some: by what the daemon says of it, and by what
/// callers do.
fn killpriv_questions_after_changes() {
    type Change = fn(&Path) -> Res<()>;
    let changes: &[(&str, Change, [usize; 3])] = &[
        ("nothing", |_| Ok(()), [2, 2, 1]),
        ("chmod", |p| user::chmod(p, 0o700), [2, 2, 2]),
        ("set-id", |p| user::chmod(p, 0o4700), [2, 2, 2]),
        (
            "capability",
            |p| user::setxattr(p, "security.capability", &capability(), 0),
            // Where there are some it is asked once more before they are removed.
            [3, 3, 3],
        ),
        (
            "other attribute",
            |p| user::setxattr(p, "user.a", b"some", 0),
            [2, 2, 1],
        ),
        ("truncate", |p| user::truncate(p, 1), [3, 3, 2]),
        ("utimes", |p| user::utimes(p, Some((1, 0)), None), [2, 2, 2]),
    ];
    for (what, change, asked) in changes {
        for (killpriv, asked) in ALL.into_iter().zip(asked) {
            let (mut m, mut fs) = mount(killpriv, Init::plain());
            file(&mut fs, "f", 0o755);
            let change = *change;
            let r: Res<()> = m.run(&mut fs, |mnt| {
                let f = mnt.join("f");
                write(&f, 1)?;
                change(&f)?;
                write(&f, 1)
            });
            assert_eq!(r, Ok(()), "{what} {killpriv:?}");
            assert_eq!(m.rec.count(Op::GETXATTR), *asked, "{what} {killpriv:?}");
            m.finish();
        }
    }
    // What is asked for anew comes with a mode that may be another one.
    let (mut m, mut fs) = mount(Killpriv::Told, Init::plain());
    fs.attr_valid = ZERO;
    file(&mut fs, "f", 0o755);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        write(&f, 2)?;
        user::lstat(&f)?;
        write(&f, 2)
    });
    assert_eq!((r, m.rec.count(Op::GETXATTR)), (Ok(()), 2));
    m.finish();
}

/// Set-id bits are the caller's to set; of a group that is not theirs they are not, where the
/// kernel checks that.
fn killpriv_chmod() {
    for killpriv in ALL {
        for (options, user, group, expected) in [
            ("allow_other", STRANGER, STRANGER, Ok(0o6777)),
            ("default_permissions", 1000, 1000, Ok(0o6777)),
            ("default_permissions", 1000, STRANGER, Ok(0o4777)),
            ("default_permissions", STRANGER, STRANGER, Err(EPERM)),
        ] {
            let flag = match killpriv {
                Killpriv::Kernel => Init::plain(),
                Killpriv::All => Init::plain().with("HANDLE_KILLPRIV"),
                Killpriv::Told => Init::plain().with("HANDLE_KILLPRIV_V2"),
            };
            let setup = Setup::default().opt("allow_other", "").opt(options, "");
            let (mut m, mut fs) = (Mock::with(&setup, &flag), Memfs::new());
            fs.killpriv = killpriv;
            let id = file(&mut fs, "f", 0o755);
            let r: Res<()> = m.run(&mut fs, |mnt| {
                user::become_user(user, group);
                user::chmod(&mnt.join("f"), 0o6777)
            });
            println!("{killpriv:?} {options} {user}: {r:?}, {:o}", mode(&fs, id));
            assert_eq!(r.map(|()| mode(&fs, id)), expected);
            m.finish();
        }
    }
}

/// A new owner of what is no directory clears them, whoever the caller is; that of a directory
/// does not.
fn killpriv_other_kinds() {
    let (mut m, mut fs) = mount(Killpriv::Told, Init::plain());
    for (name, kind) in [
        ("directory", libc::S_IFDIR),
        ("link", libc::S_IFLNK),
        ("fifo", libc::S_IFIFO),
        ("device", libc::S_IFCHR),
        ("file", libc::S_IFREG),
    ] {
        fs.add(ROOT, name, kind | 0o6755, b"text");
    }
    let r: Res<()> = m.run(&mut fs, |mnt| {
        for name in ["directory", "link", "fifo", "device", "file"] {
            user::lchown(&mnt.join(name), 7, u32::MAX)?;
            user::lchown(&mnt.join(name), u32::MAX, 7)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let told: Vec<bool> = valid(&m)
        .iter()
        .map(|v| v & FATTR_KILL_SUIDGID != 0)
        .collect();
    assert_eq!(told, [&[false; 2][..], &[true; 8]].concat());
    m.finish();
}

/// What is to be a new file has no bits to be cleared, and O_TRUNC alone makes CREATE clear them.
fn killpriv_new_files() {
    let (mut m, mut fs) = mount(Killpriv::Told, Init::plain());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        user::become_user(STRANGER, STRANGER);
        for (i, flags) in [0, libc::O_TRUNC, libc::O_EXCL, libc::O_EXCL | libc::O_TRUNC]
            .iter()
            .enumerate()
        {
            let flags = libc::O_CREAT | libc::O_WRONLY | flags;
            user::open(&mnt.join(i.to_string()), flags, 0o6777)?;
        }
        Ok(())
    });
    assert_eq!(r, Ok(()));
    let told: Vec<u64> = of(&m, Op::CREATE)
        .iter()
        .map(|r| r.get("open_flags"))
        .collect();
    assert_eq!(told, [0, 1, 0, 0]);
    m.finish();
}

/// Root of a user namespace is an ordinary user: capabilities there do not count.
fn killpriv_in_user_namespace() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        let ids: Vec<u64> = ["f", "g", "h"]
            .iter()
            .map(|name| file(&mut fs, name, 0o6777))
            .collect();
        let r: Res<()> = m.run(&mut fs, |mnt| {
            suites::userns::enter(1000);
            write(&mnt.join("f"), 1)?;
            user::truncate(&mnt.join("g"), 1)?;
            user::open(&mnt.join("h"), libc::O_WRONLY | libc::O_TRUNC, 0).map(drop)
        });
        assert_eq!(r, Ok(()), "{killpriv:?}");
        let modes: Vec<u32> = ids.iter().map(|id| mode(&fs, *id)).collect();
        let by_open = match killpriv {
            Killpriv::Kernel => 0o6777,
            _ => 0o777,
        };
        assert_eq!(modes, [0o777, 0o777, by_open], "{killpriv:?}");
        m.finish();
    }
}

/// What a failed direct write may have added is taken back, in the caller's name as all else.
fn killpriv_taking_back() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        file(&mut fs, "f", 0o755);
        fs.on(Op::WRITE, Answer::Err(ENOSPC));
        let r: Res<usize> = m.run(&mut fs, |mnt| {
            user::become_user(STRANGER, STRANGER);
            let f = user::open(&mnt.join("f"), libc::O_WRONLY | libc::O_DIRECT, 0)?;
            user::pwrite(&f, &[1; 4096], 0)
        });
        assert_eq!(r, Err(ENOSPC), "{killpriv:?}");
        let last = valid(&m).last().copied().expect("SETATTR");
        let told = last & FATTR_KILL_SUIDGID != 0;
        assert_eq!(
            (last & FATTR_SIZE != 0, told),
            (true, killpriv == Killpriv::Told)
        );
        m.finish();
    }
}

/// A daemon that agrees to both is told as with the second.
fn killpriv_both_flags() {
    let (mut m, mut fs) = mount(Killpriv::Told, Init::plain().with("HANDLE_KILLPRIV"));
    let id = file(&mut fs, "f", 0o6755);
    let r: Res<()> = m.run(&mut fs, |mnt| {
        write(&mnt.join("f"), 1)?;
        user::become_user(STRANGER, STRANGER);
        write(&mnt.join("f"), 2)
    });
    assert_eq!((r, mode(&fs, id)), (Ok(()), 0o755));
    let told: Vec<u64> = of(&m, Op::WRITE)
        .iter()
        .map(|r| r.get("write_flags"))
        .collect();
    assert_eq!(told, [0, 4, 4]);
    m.finish();
}

/// FreeBSD's "recursion panic while clearing suid": the daemon does not let the mode be changed
/// before a write. The write fails, and nothing is written.
fn killpriv_refused_before_write() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        let id = file(&mut fs, "f", 0o6777);
        for e in [EPERM, EIO, EINTR, ENOSYS] {
            fs.on(Op::SETATTR, Answer::Err(e));
            let r: Res<()> = m.run(&mut fs, |mnt| {
                user::become_user(STRANGER, STRANGER);
                write(&mnt.join("f"), 1)
            });
            assert_eq!(r, Err(e), "{killpriv:?}");
        }
        assert_eq!(m.rec.count(Op::WRITE), 0, "{killpriv:?}");
        assert_eq!(fs.nodes[&id].data, b"text");
        m.finish();
    }
}

/// The historic bug: a new owner brought back the mode as it was cached. Somebody else has changed
/// the mode meanwhile; now it is that one without its set-id bits.
fn chown_after_mode_changed_elsewhere() {
    for killpriv in ALL {
        for (cached, now) in [(0o4755, 0o700), (0o755, 0o6711), (0o6755, 0o2740)] {
            let (mut m, mut fs) = mount(killpriv, Init::plain());
            let id = file(&mut fs, "f", cached);
            let mut c = m.caller(|mnt, io| {
                user::lstat(&mnt.join("f"))?;
                io.put(());
                io.wait();
                user::lchown(&mnt.join("f"), 7, 7)
            });
            let r = m.expect(Op::LOOKUP);
            let a = fs.handle(&r);
            m.answer(&r, &a).expect("answer");
            c.get::<()>();
            let attr = &mut fs.nodes.get_mut(&id).expect("f").attr;
            attr.mode = libc::S_IFREG | now;
            c.go();
            let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
            assert_eq!(r, Ok(()), "{killpriv:?}");
            let expected = mockd::memfs::without_set_id(now);
            assert_eq!(mode(&fs, id), expected, "{killpriv:?} {cached:o} {now:o}");
            let asked = m.rec.count(Op::GETATTR) > 0;
            assert_eq!(asked, killpriv == Killpriv::Kernel, "{cached:o}");
            m.finish();
        }
    }
}

/// The historic bug: a new owner set a mode, too, where there was no bit to clear.
fn chown_of_file_without_set_id() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        file(&mut fs, "f", 0o755);
        file(&mut fs, "g", 0o2745);
        let r: Res<()> = m.run(&mut fs, |mnt| {
            user::lchown(&mnt.join("f"), 7, 7)?;
            user::lchown(&mnt.join("g"), 7, 7)
        });
        assert_eq!(r, Ok(()));
        let modes = valid(&m).iter().any(|v| v & FATTR_MODE != 0);
        assert!(!modes, "{killpriv:?}");
        m.finish();
    }
}

/// Where the kernel clears the bits it must know the mode as it is: an error of GETATTR is the
/// caller's, and the file keeps its owner.
fn mode_cannot_be_had() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        let id = file(&mut fs, "f", 0o6755);
        for e in [EIO, EACCES, ENOENT, ESTALE] {
            fs.on(Op::GETATTR, Answer::Err(e));
            let r: Res<()> = m.run(&mut fs, |mnt| user::lchown(&mnt.join("f"), 7, 7));
            let expected = match killpriv {
                Killpriv::Kernel => Err(e),
                _ => Ok(()),
            };
            println!("{killpriv:?} {e:?}: {r:?}");
            assert_eq!(r, expected, "{killpriv:?}");
        }
        let kept = fs.nodes[&id].attr.uid != 7;
        assert_eq!(kept, killpriv == Killpriv::Kernel);
        m.finish();
    }
}

/// The historic bug: writes through the page cache did not say that set-id bits go, so that they
/// stayed.
fn write_through_cache_is_told() {
    let (mut m, mut fs) = mount(Killpriv::Told, Init::plain());
    let id = file(&mut fs, "f", 0o755);
    let mut c = m.caller(|mnt, io| {
        user::become_user(STRANGER, STRANGER);
        let f = user::open(&mnt.join("f"), libc::O_WRONLY, 0)?;
        user::pwrite(&f, b"x", 0)?;
        io.put(());
        io.wait();
        user::pwrite(&f, b"y", 0).map(drop)
    });
    loop {
        let r = m.request();
        let a = fs.handle(&r);
        m.answer(&r, &a).expect("answer");
        if r.op == Op::WRITE {
            break;
        }
    }
    c.get::<()>();
    // The kernel believes that there is nothing to clear.
    fs.nodes.get_mut(&id).expect("f").attr.mode = libc::S_IFREG | 0o6755;
    c.go();
    let r: Res<()> = m.serve(c, &mut |r| fs.handle(r));
    assert_eq!((r, mode(&fs, id)), (Ok(()), 0o755));
    m.finish();
}

/// The historic bug, "use consistent sgid stripping checks": whether set-group-id of a group that
/// may not execute is looked at depends on who writes; the bit stays.
fn set_group_id_without_execute() {
    for killpriv in ALL {
        let (mut m, mut fs) = mount(killpriv, Init::plain());
        for (name, group) in [("member", 1000), ("stranger", STRANGER)] {
            let id = file(&mut fs, name, 0o2745);
            let r: Res<()> = m.run(&mut fs, |mnt| {
                user::become_user(STRANGER, group);
                write(&mnt.join(name), 1)?;
                user::truncate(&mnt.join(name), 1)
            });
            assert_eq!((r, mode(&fs, id)), (Ok(()), 0o2745), "{killpriv:?}");
        }
        m.finish();
    }
}
