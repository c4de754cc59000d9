// SPDX-License-Identifier: GPL-2.0

//! Names and directories: what was checked before a wait is checked again, and what a killed caller
//! has made, moved or removed is seen by everybody, also where names and attributes are believed
//! for long.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::reply::{attr_out, Entry, LONG};
use mockd::user;
use mockd::wire::{self, Op};
use mockd::{Init, Setup};
use suites::daemon::until;

use crate::scene::{open, ops, ours, show, Act, Scene};

pub fn cases() -> Vec<Case> {
    cases![
        cycle_of_renames,
        two_renames_in_a_row,
        two_changes_in_a_row,
        two_lookups_at_once,
        stat_of_what_is_made,
        made_over_a_negative_entry,
        removed,
        renamed,
        links_after_link,
        links_after_unlink,
        links_after_rename,
        links_after_rmdir,
        unlink_of_what_was_replaced,
        sticky_meanwhile,
        read_only_meanwhile,
        directory_after_chmod,
        directory_gone_bad,
        mount_below_a_rename,
        work_in_a_renamed_directory,
        look_for_a_renamed_directory,
        name_that_came_to_be_another,
    ]
}

/// d with two files and two directories, e with one of each; all is believed for long.
fn tree() -> Memfs {
    let mut fs = Memfs::new();
    let (file, dir) = (libc::S_IFREG | 0o644, libc::S_IFDIR | 0o755);
    let d = fs.dir("d");
    let e = fs.dir("e");
    for name in ["v", "w"] {
        fs.add(d, name, file, name.as_bytes());
    }
    fs.add(e, "k", file, b"k");
    for name in ["s", "s2"] {
        fs.add(d, name, dir, &[]);
    }
    fs.add(e, "t", dir, &[]);
    fs
}

const ALL: &[&str] = &["d/v", "d/w", "d/s", "d/s2", "e/k", "e/t"];

/// Does this in the mount; knows the names.
fn act(f: impl Fn(&Path) -> String + 'static) -> impl FnOnce(&Path) -> Act {
    move |mnt| {
        for name in ALL {
            let _ = user::lstat(&mnt.join(name));
        }
        let mnt = mnt.to_path_buf();
        Box::new(move || f(&mnt))
    }
}

fn rename(from: &'static str, to: &'static str) -> impl FnOnce(&Path) -> Act {
    act(move |m| show(user::rename(&m.join(from), &m.join(to))))
}

fn ino(name: &'static str) -> impl FnOnce(&Path) -> Act {
    act(move |m| show(user::lstat(&m.join(name)).map(|s| s.ino)))
}

fn child(s: &Scene, path: &str) -> Option<u64> {
    let mut id = wire::ROOT;
    for name in path.split('/') {
        id = *s.fs.nodes[&id].children.get(name)?;
    }
    Some(id)
}

/// A moves d into e; B, which waits, wanted to move e into d.
fn cycle_of_renames() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", rename("d", "e/d"));
    let mut b = s.actor("second", rename("e", "d/e"));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    let text = s.said(&mut b);
    // ESTALE is the one that a rename of a directory may give here: then the VFS starts again, and
    // finds that d has gone.
    assert!(
        text == "Err(EINVAL)" || (ours() && matches!(&*text, "Err(ESTALE)" | "Err(ENOENT)")),
        "{text}"
    );
    let seen = ops(&s.asked("second"));
    assert!(
        !seen.iter().any(|o| matches!(o, Op::RENAME | Op::RENAME2)),
        "{seen:?}"
    );
    assert!(child(&s, "e/d/v").is_some() && child(&s, "d").is_none());
    let mut c = s.actor("third", act(|m| show(user::list(&m.join("e/d")))));
    assert_eq!(s.act(&mut c), "Ok([\"s\", \"s2\", \"v\", \"w\"])");
    s.end(vec![b, c]);
}

/// Two killed callers, one after the other, and a third one that is alive; no error for that one.
fn in_a_row(
    ops: [Op; 2],
    first: impl FnOnce(&Path) -> Act,
    second: impl FnOnce(&Path) -> Act,
    third: impl FnOnce(&Path) -> Act,
) {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", first);
    let mut b = s.actor("second", second);
    let mut c = s.actor("third", third);
    let r = s.leave("first", &mut a, ops[0], "");
    s.waits(&mut b);
    s.waits(&mut c);
    s.hold_next("second", ops[1], "");
    s.answered("first", &mut a, &r);
    let r = s.await_held(ops[1]);
    s.kill(&mut b);
    assert_eq!(s.goes_on(&mut c), None, "it does not wait for the second");
    s.answered("second", &mut b, &r);
    assert_eq!(s.said(&mut c), "Ok(())");
    let look = act(|m| format!("{:?}", ["d", "e"].map(|n| user::list(&m.join(n)))));
    let mut d = s.actor("fourth", look);
    assert_eq!(s.act(&mut d), format!("{:?}", lists(&s)));
    s.end(vec![c, d]);
}

fn lists(s: &Scene) -> [Res<Vec<String>>; 2] {
    ["d", "e"].map(|n| {
        let id = child(s, n).expect("directory");
        Ok(s.fs.nodes[&id].children.keys().cloned().collect())
    })
}

fn two_renames_in_a_row() {
    in_a_row(
        [Op::RENAME, Op::RENAME],
        rename("d/s", "e/s"),
        rename("e/t", "d/t"),
        rename("d/s2", "e/s2"),
    );
}

fn two_changes_in_a_row() {
    in_a_row(
        [Op::MKDIR, Op::UNLINK],
        act(|m| show(user::mkdir(&m.join("d/m"), 0o755))),
        act(|m| show(user::unlink(&m.join("d/v")))),
        rename("d/w", "e/w"),
    );
}

/// Who wants to change the directory waits for both.
fn two_lookups_at_once() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", |m| {
        let p = m.join("d/v");
        Box::new(move || show(user::lstat(&p).map(|s| s.ino)))
    });
    let mut b = s.actor("second", |m| {
        let p = m.join("d/w");
        Box::new(move || show(user::lstat(&p).map(|s| s.ino)))
    });
    let mut c = s.actor("third", |m| {
        let p = m.join("d/m");
        user::lstat(p.parent().expect("d")).expect("lstat");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    let r = s.leave("first", &mut a, Op::LOOKUP, "v");
    let q = s.leave("second", &mut b, Op::LOOKUP, "w");
    s.waits(&mut c);
    s.answered("first", &mut a, &r);
    assert_eq!(s.goes_on(&mut c), None, "it does not wait for the second");
    s.answered("second", &mut b, &q);
    assert_eq!(s.said(&mut c), "Ok(())");
    s.end(vec![c]);
}

fn stat_of_what_is_made() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", act(|m| show(user::mkdir(&m.join("d/m"), 0o755))));
    let mut b = s.actor("second", ino("d/m"));
    let r = s.leave("first", &mut a, Op::MKDIR, "");
    s.waits(&mut b);
    assert_eq!(ops(&s.asked("second")), []);
    s.answered("first", &mut a, &r);
    let id = child(&s, "d/m").expect("made");
    assert_eq!(s.said(&mut b), format!("Ok({id})"));
    s.end(vec![b]);
}

/// B knows for long that there is no such name.
fn made_over_a_negative_entry() {
    let mut s = Scene::new(tree());
    s.fs.on(Op::LOOKUP, Answer::Ok(Entry::negative(LONG).bytes()));
    let mut b = s.actor("second", |m| {
        let p = m.join("m");
        assert_eq!(user::lstat(&p).err(), Some(ENOENT));
        Box::new(move || show(user::lstat(&p).map(|s| s.ino)))
    });
    let mut a = s.actor("first", |m| {
        let p = m.join("m");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    assert_eq!(s.act(&mut b), "Err(ENOENT)");
    let r = s.leave("first", &mut a, Op::MKDIR, "");
    s.fs.fixed.clear();
    assert_eq!(s.acts(&mut b).as_deref(), Some("Err(ENOENT)"));
    s.answered("first", &mut a, &r);
    let id = child(&s, "m").expect("made");
    assert_eq!(s.act(&mut b), format!("Ok({id})"));
    s.end(vec![b]);
}

fn removed() {
    let mut s = Scene::new(tree());
    let mut b = s.actor("second", ino("d/v"));
    let mut a = s.actor("first", act(|m| show(user::unlink(&m.join("d/v")))));
    let id = child(&s, "d/v").expect("there");
    let r = s.leave("first", &mut a, Op::UNLINK, "");
    assert_eq!(s.acts(&mut b), Some(format!("Ok({id})")));
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "Err(ENOENT)");
    s.end(vec![b]);
}

fn renamed() {
    let mut s = Scene::new(tree());
    let look = |m: &Path| {
        let names = ["d/v", "d/w", "e/v", "d/s", "e/s"];
        format!(
            "{:?}",
            names.map(|n| user::lstat(&m.join(n)).map(|s| s.ino))
        )
    };
    let mut b = s.actor("second", act(look));
    s.act(&mut b);
    let mut a = s.actor("first", rename("d/v", "d/w"));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.answered("first", &mut a, &r);
    let now = |s: &Scene| {
        let names = ["d/v", "d/w", "e/v", "d/s", "e/s"];
        format!("{:?}", names.map(|n| child(s, n).ok_or(ENOENT)))
    };
    assert_eq!(s.act(&mut b), now(&s));
    let mut a = s.actor("other", rename("d/s", "e/s"));
    let r = s.leave("other", &mut a, Op::RENAME, "");
    s.answered("other", &mut a, &r);
    assert_eq!(s.act(&mut b), now(&s));
    s.end(vec![b]);
}

/// The links of an open file or directory, before and after.
fn links(what: &'static str, op: Op, first: impl FnOnce(&Path) -> Act, before: u64, after: u64) {
    let mut s = Scene::new(tree());
    let mut b = s.actor("second", move |m| {
        let f = open(m, what, libc::O_RDONLY);
        Box::new(move || show(user::fstat(&f).map(|s| s.nlink)))
    });
    let mut a = s.actor("first", first);
    let r = s.leave("first", &mut a, op, "");
    assert_eq!(s.acts(&mut b), Some(format!("Ok({before})")));
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), format!("Ok({after})"));
    s.end(vec![b]);
}

fn links_after_link() {
    let link = act(|m| show(user::link(&m.join("d/v"), &m.join("e/v"))));
    links("d/v", Op::LINK, link, 1, 2);
}

fn links_after_unlink() {
    let unlink = act(|m| show(user::unlink(&m.join("d/v"))));
    links("d/v", Op::UNLINK, unlink, 1, 0);
}

fn links_after_rename() {
    links("d/w", Op::RENAME, rename("d/v", "d/w"), 1, 0);
}

fn links_after_rmdir() {
    let rmdir = act(|m| show(user::rmdir(&m.join("d/s"))));
    links("d/s", Op::RMDIR, rmdir, 2, 0);
}

/// B removes the name; when its turn comes, that is of what A has moved there.
fn unlink_of_what_was_replaced() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", rename("d/v", "d/w"));
    let mut b = s.actor("second", act(|m| show(user::unlink(&m.join("d/w")))));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut b), "Ok(())");
    assert_eq!((child(&s, "d/v"), child(&s, "d/w")), (None, None));
    s.end(vec![b]);
}

/// The kernel checks what B may do, in a directory whose mode A has changed meanwhile.
fn may_not(mode: u32, user: impl Fn(&Path) -> Res<()> + 'static, e: Errno) {
    let mut fs = tree();
    let d = fs.nodes[&wire::ROOT].children["d"];
    fs.nodes.get_mut(&d).expect("d").attr.mode |= 0o777;
    let setup = Setup::default()
        .opt("default_permissions", "")
        .opt("allow_other", "");
    let mut s = Scene::mounted(&setup, fs, &Init::plain());
    let mut b = s.actor("second", act(move |m| show(user(m))));
    // Now that it knows the names.
    let mut a = s.actor("first", act(move |m| show(user::chmod(&m.join("d"), mode))));
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut b), show(Err::<(), _>(e)));
    let seen = ops(&s.asked("second"));
    assert!(
        seen.iter().all(|o| matches!(o, Op::LOOKUP | Op::GETATTR)),
        "{seen:?}"
    );
    s.end(vec![b]);
}

fn sticky_meanwhile() {
    may_not(
        0o1777,
        |m| {
            user::become_user(1000, 1000);
            user::unlink(&m.join("d/v"))
        },
        EPERM,
    );
}

fn read_only_meanwhile() {
    may_not(
        0o555,
        |m| {
            user::become_user(1000, 1000);
            user::mkdir(&m.join("d/m"), 0o755)
        },
        EACCES,
    );
}

/// A directory whose mode A has changed is looked up again, though the name is believed for long.
fn directory_after_chmod() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", act(|m| show(user::chmod(&m.join("d"), 0o700))));
    let mut b = s.actor("second", |m| {
        let d = open(m, "d", libc::O_RDONLY | libc::O_DIRECTORY);
        let v = m.join("d/v");
        user::lstat(&v).expect("v");
        // When it knows the mode, what A has changed has come.
        Box::new(move || show(user::fstat(&d).and_then(|d| Ok((d.mode, user::lstat(&v)?.size)))))
    });
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.answered("first", &mut a, &r);
    let mode = libc::S_IFDIR | 0o700;
    assert_eq!(s.act(&mut b), show(Ok((mode, 1))));
    let asked = s.asked("second");
    assert_eq!(ops(&asked), [Op::LOOKUP]);
    assert_eq!(asked[0].name(), "d");
    s.end(vec![b]);
}

/// A directory that goes bad while B waits to list it: A's answer says that it is a file.
fn directory_gone_bad() {
    let mut s = Scene::new(tree());
    let mut a = s.actor("first", act(|m| show(user::chmod(&m.join("d"), 0o700))));
    let mut b = s.actor("second", |m| {
        let d = open(m, "d", libc::O_RDONLY | libc::O_DIRECTORY);
        Box::new(move || show(user::getdents(&d, 4096).map(|d| d.len())))
    });
    let r = s.leave("first", &mut a, Op::SETATTR, "");
    s.waits(&mut b);
    let mut attr = s.fs.nodes[&r.node].attr;
    attr.mode = libc::S_IFREG | 0o700;
    s.m.reply(&r, &attr_out(LONG, &attr));
    if !ours() {
        s.gone(&mut a);
    }
    assert_eq!(s.said(&mut b), "Err(EIO)");
    assert_eq!(ops(&s.asked("second")), []);
    s.end(vec![b]);
}

/// Others' mounts below what a killed caller has moved stay, and are found where it is now.
fn mount_below_a_rename() {
    let mut fs = tree();
    let sd = fs.nodes[&fs.nodes[&wire::ROOT].children["d"]].children["s"];
    fs.add(sd, "mp", libc::S_IFDIR | 0o755, &[]);
    let mut s = Scene::new(fs);
    let mut b = s.actor("second", |m| {
        mockd::mount::mount("x", &m.join("d/s/mp"), "tmpfs", 0, "").expect("tmpfs");
        std::fs::write(m.join("d/s/mp/file"), "").expect("file");
        let m = m.to_path_buf();
        Box::new(move || {
            let at = ["d/s/mp/file", "e/s/mp/file"];
            format!("{:?}", at.map(|n| user::lstat(&m.join(n)).map(drop)))
        })
    });
    let mut a = s.actor("first", rename("d/s", "e/s"));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "[Err(ENOENT), Ok(())]");
    let mut c = s.actor("third", |m| {
        let p = m.join("e/s/mp");
        Box::new(move || show(mockd::mount::umount(&p, 0)))
    });
    assert_eq!(s.act(&mut c), "Ok(())");
    s.end(vec![b, c]);
}

/// B is in a directory that A has moved, works there, and knows where it is when that has been
/// looked up.
fn work_in_a_renamed_directory() {
    let mut s = Scene::new(tree());
    let mut b = s.actor("second", |m| {
        user::chdir(&m.join("d/s")).expect("chdir");
        let m = m.to_path_buf();
        let mut n = 0;
        Box::new(move || {
            n += 1;
            user::mkdir(Path::new(&format!("in{n}")), 0o755).expect("mkdir");
            user::lstat(&m.join("e/s")).expect("lstat");
            let cwd = std::env::current_dir().expect("getcwd");
            show::<String>(Ok(cwd
                .strip_prefix(&m)
                .expect("in the mount")
                .display()
                .to_string()))
        })
    });
    let mut a = s.actor("first", rename("d/s", "e/s"));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.answered("first", &mut a, &r);
    assert_eq!(s.act(&mut b), "Ok(\"e/s\")");
    assert!(child(&s, "e/s/in1").is_some());
    s.end(vec![b]);
}

/// A exchanges two names; B, which waits to remove one of them, removes what that is then.
fn name_that_came_to_be_another() {
    let mut s = Scene::new(tree());
    let v = child(&s, "d/v");
    let mut a = s.actor(
        "first",
        act(|m| {
            let (v, w) = (m.join("d/v"), m.join("d/w"));
            show(user::rename2(&v, &w, libc::RENAME_EXCHANGE))
        }),
    );
    let mut b = s.actor("second", act(|m| show(user::unlink(&m.join("d/v")))));
    let r = s.leave("first", &mut a, Op::RENAME2, "");
    s.waits(&mut b);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut b), "Ok(())");
    assert_eq!((child(&s, "d/v"), child(&s, "d/w")), (None, v));
    s.end(vec![b]);
}

/// Somebody has the directory that A has moved open, and C changes its old parent. In C the name
/// was there when A's RENAME was answered; here the one who asks for it moves it, for which C's
/// lock is needed.
fn look_for_a_renamed_directory() {
    let mut s = Scene::new(tree());
    let keeper = s.actor("keeper", |m| {
        let dir = open(m, "d/s", libc::O_PATH);
        Box::new(move || show(user::fstat(&dir).map(|s| s.ino)))
    });
    let mut a = s.actor("first", rename("d/s", "e/s"));
    let mut b = s.actor("second", ino("e/s"));
    let mut c = s.actor("third", act(|m| show(user::mkdir(&m.join("d/m"), 0o755))));
    let r = s.leave("first", &mut a, Op::RENAME, "");
    s.answered("first", &mut a, &r);
    let q = s.hold("third", &c, Op::MKDIR, "m");
    s.asked("second");
    b.go();
    if ours() {
        until("its LOOKUP", || {
            s.serve();
            ops(&s.asked("second")).contains(&Op::LOOKUP).then_some(())
        });
    }
    s.answer("third", &q);
    let id = child(&s, "e/s").expect("moved");
    assert_eq!(s.said(&mut b), format!("Ok({id})"));
    // Nor does the VFS have to look again.
    assert!(!ops(&s.asked("second")).contains(&Op::LOOKUP));
    assert_eq!(s.said(&mut c), "Ok(())");
    s.end(vec![b, c, keeper]);
}
