// SPDX-License-Identifier: GPL-2.0

//! A mount as a layer of overlayfs: below, where nothing of it is changed; on top, if its daemon
//! has what overlayfs wants of a layer to write to; and both. What overlayfs says and what the
//! daemon is left with is compared.

use std::path::{Path, PathBuf};

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mock::Answer;
use mockd::mount::{mount, umount};
use mockd::wire::{Op, ROOT};
use mockd::{user, Init, Mock, Request, Setup};
use suites::compare;
use suites::daemon::{dirs, Daemon};

use crate::through::same_tree;

pub fn cases() -> Vec<Case> {
    cases![
        layer_below,
        layer_on_top,
        layers_of_one_mount,
        layer_on_top_refused,
        layer_on_top_without_tmpfile,
        layer_read_only,
        layer_below_dies,
        layer_on_top_dies,
        daemon_over_overlay,
    ]
}

/// A directory of tmpfs, with `names` in it.
fn tmpfs(name: &str, names: &[&str]) -> PathBuf {
    let dir = ktap::dir().join(name);
    std::fs::create_dir(&dir).expect("directory");
    mount("x", &dir, "tmpfs", 0, "").expect("tmpfs");
    for name in names {
        user::mkdir(&dir.join(name), 0o755).expect("mkdir");
    }
    dir
}

/// Where overlayfs is mounted.
fn top() -> PathBuf {
    let dir = ktap::dir().join("top");
    std::fs::create_dir_all(&dir).expect("directory");
    dir
}

/// Mounts overlayfs.
fn overlay(lower: &Path, upper: &Path, work: &Path, at: &Path) -> Res<()> {
    let (lower, upper, work) = (lower.display(), upper.display(), work.display());
    let data = format!("lowerdir={lower},upperdir={upper},workdir={work}");
    mount("x", at, "overlay", 0, &data)
}

/// What is there to be changed.
fn fill(fs: &mut Memfs, dir: u64) {
    let file = libc::S_IFREG | 0o644;
    for name in [
        "changed", "removed", "replaced", "moved", "linked", "cut", "left",
    ] {
        fs.add(dir, name, file, name.as_bytes());
    }
    fs.add(dir, "link", libc::S_IFLNK | 0o777, b"left");
    for name in ["d", "emptied", "kept"] {
        let d = fs.add(dir, name, libc::S_IFDIR | 0o755, b"");
        fs.add(d, "in", file, b"in");
    }
}

/// Everything that overlayfs does with its layers; what each call gave.
fn work(at: &Path) -> Vec<String> {
    let p = |name: &str| at.join(name);
    let mut all = Vec::new();
    let mut say = |what: &str, r: Res<String>| all.push(format!("{what}: {r:?}"));
    let unit = |r: Res<()>| r.map(|()| String::new());
    let text = |name: &str| {
        let f = user::open(&at.join(name), libc::O_RDONLY, 0)?;
        Ok(String::from_utf8_lossy(&user::pread(&f, 100, 0)?).into_owned())
    };
    let list = |name: &str| user::list(&at.join(name)).map(|l| l.join(" "));
    say("list", list(""));
    say("read", text("left"));
    say("readlink", user::readlink(&p("link")));
    let write = |name: &str, flags: i32| {
        let f = user::open(&at.join(name), flags | libc::O_RDWR, 0o644)?;
        user::pwrite(&f, b"NEW", 0)?;
        user::fsync(&f)?;
        user::close(f)
    };
    say("write", unit(write("changed", 0)));
    say("changed", text("changed"));
    say("truncate", unit(user::truncate(&p("cut"), 1)));
    say("cut", text("cut"));
    say("chmod", unit(user::chmod(&p("kept"), 0o700)));
    say("unlink", unit(user::unlink(&p("removed"))));
    say("removed", text("removed"));
    say("unlink", unit(user::unlink(&p("replaced"))));
    say("mkdir", unit(user::mkdir(&p("replaced"), 0o755)));
    say("replaced", list("replaced"));
    say("rename", unit(user::rename(&p("moved"), &p("d/here"))));
    say("moved", text("d/here"));
    say("link", unit(user::link(&p("linked"), &p("hard"))));
    say("hard", text("hard"));
    // With what is below them directories are not moved.
    say("rename", unit(user::rename(&p("kept"), &p("other"))));
    say("unlink", unit(user::unlink(&p("emptied/in"))));
    say("rmdir", unit(user::rmdir(&p("emptied"))));
    say("mkdir", unit(user::mkdir(&p("emptied"), 0o755)));
    say("emptied", list("emptied"));
    say("create", unit(write("d/new", libc::O_CREAT | libc::O_EXCL)));
    say("d", list("d"));
    let set = user::setxattr(&p("left"), "user.a", b"value", 0);
    say("setxattr", unit(set));
    say("left", text("left"));
    let stat = user::lstat(&p("left"));
    say(
        "stat",
        stat.map(|s| format!("{:o} {} {}", s.mode, s.nlink, s.size)),
    );
    say("list", list(""));
    all
}

/// All that a daemon has below a directory: names, modes, contents and attributes.
fn tree(fs: &Memfs, dir: u64, path: &str, out: &mut Vec<String>) {
    let children: Vec<_> = fs.nodes[&dir].children.clone().into_iter().collect();
    for (name, id) in children {
        let n = fs.nodes[&id].clone();
        let path = format!("{path}/{name}");
        // Numbers of what is behind, and of the superblock, differ from run to run.
        let numbers = ["trusted.overlay.origin", "trusted.overlay.uuid"];
        let xattrs: Vec<_> = (n.xattrs.iter())
            .filter(|x| !numbers.contains(&x.0.as_str()))
            .collect();
        out.push(format!(
            "{path} {:o} {} {:?} {xattrs:?}",
            n.attr.mode,
            n.attr.nlink,
            String::from_utf8_lossy(&n.data),
        ));
        tree(fs, id, &path, out);
    }
}

/// A daemon that has all that a layer on top must have.
struct Layer {
    m: Mock,
    fs: Memfs,
}

impl Layer {
    fn new(init: &Init) -> Layer {
        ktap::needs("CONFIG_OVERLAY_FS");
        let mut m = Mock::with(&Setup::default(), init);
        // The order in which overlayfs asks is its own.
        m.without_record();
        let mut fs = Memfs::new();
        fs.xattrs = true;
        Layer { m, fs }
    }

    fn answer(fs: &mut Memfs, r: &Request) -> Answer {
        let a = fs.handle(r);
        let left = r.op == Op::RENAME2 && r.get("flags") as u32 & libc::RENAME_WHITEOUT != 0;
        if left && matches!(a, Answer::Ok(_)) {
            fs.add(r.node, &r.name(), libc::S_IFCHR, b"");
        }
        a
    }

    fn run<T: mockd::msg::Msg>(&mut self, f: impl FnOnce(&Path) -> T) -> T {
        let fs = &mut self.fs;
        let c = self.m.caller(|mnt, _| f(mnt));
        self.m.serve(c, &mut |r| Layer::answer(fs, r))
    }

    fn finish(mut self) {
        let fs = &mut self.fs;
        self.m.drain(&mut |r| Layer::answer(fs, r));
        self.m.finish();
    }
}

/// Works on an overlay, and looks at it again after a new mount.
fn worked(lower: &Path, upper: &Path, dir: &Path) -> Vec<String> {
    let at = top();
    let mut said = Vec::new();
    let mounted = overlay(lower, upper, dir, &at);
    said.push(format!("mount: {mounted:?}"));
    if mounted.is_ok() {
        said.extend(work(&at));
        said.push(format!("umount: {:?}", umount(&at, 0)));
        said.push(format!("mount: {:?}", overlay(lower, upper, dir, &at)));
        said.push(format!("list: {:?}", user::list(&at)));
        said.push(format!("umount: {:?}", umount(&at, 0)));
    }
    said
}

/// Whatever is done above, nothing is changed here.
fn layer_below() {
    let mut l = Layer::new(&Init::plain());
    fill(&mut l.fs, ROOT);
    let rw = tmpfs("rw", &["up", "work"]);
    let before = {
        let mut all = Vec::new();
        tree(&l.fs, ROOT, "", &mut all);
        all
    };
    let dir = rw.clone();
    let said: Vec<String> = l.run(|mnt| worked(mnt, &dir.join("up"), &dir.join("work")));
    assert_eq!(said[0], "mount: Ok(())");
    for op in [
        Op::SETATTR,
        Op::MKNOD,
        Op::MKDIR,
        Op::UNLINK,
        Op::RMDIR,
        Op::RENAME,
        Op::RENAME2,
        Op::LINK,
        Op::WRITE,
        Op::SETXATTR,
        Op::REMOVEXATTR,
        Op::CREATE,
        Op::TMPFILE,
    ] {
        assert_eq!(l.m.rec.count(op), 0, "{op:?}");
    }
    let mut after = Vec::new();
    tree(&l.fs, ROOT, "", &mut after);
    assert_eq!(after, before);
    umount(&rw, 0).expect("tmpfs");
    l.finish();
    compare(said);
}

/// A directory of tmpfs with what `fill` has.
fn lower_in_tmpfs() -> PathBuf {
    let dir = tmpfs("low", &["d", "emptied", "kept"]);
    let put = |name: &str, text: &str| std::fs::write(dir.join(name), text).expect(name);
    for name in [
        "changed", "removed", "replaced", "moved", "linked", "cut", "left",
    ] {
        put(name, name);
    }
    for name in ["d/in", "emptied/in", "kept/in"] {
        put(name, "in");
    }
    user::symlink("left", &dir.join("link")).expect("link");
    dir
}

/// All changes go here, with whiteouts and attributes; what comes of it is compared.
fn layer_on_top() {
    let mut l = Layer::new(&Init::plain());
    l.fs.dir("up");
    l.fs.dir("work");
    let low = lower_in_tmpfs();
    let below = low.clone();
    let mut said: Vec<String> = l.run(|mnt| worked(&below, &mnt.join("up"), &mnt.join("work")));
    assert_eq!(said[0], "mount: Ok(())");
    tree(&l.fs, ROOT, "", &mut said);
    let whiteout = said.iter().any(|s| s.starts_with("/up/removed 20000 "));
    assert!(whiteout, "no whiteout: {said:#?}");
    umount(&low, 0).expect("tmpfs");
    l.finish();
    compare(said);
}

fn layers_of_one_mount() {
    let mut l = Layer::new(&Init::plain());
    for name in ["up", "work"] {
        l.fs.dir(name);
    }
    let low = l.fs.dir("low");
    fill(&mut l.fs, low);
    let mut said: Vec<String> =
        l.run(|mnt| worked(&mnt.join("low"), &mnt.join("up"), &mnt.join("work")));
    assert_eq!(said[0], "mount: Ok(())");
    tree(&l.fs, ROOT, "", &mut said);
    l.finish();
    compare(said);
}

/// What mounting says of a layer on top whose daemon lacks something.
fn refused(init: &Init, lack: impl Fn(&mut Memfs)) -> Res<()> {
    let mut l = Layer::new(init);
    l.fs.dir("up");
    l.fs.dir("work");
    lack(&mut l.fs);
    let low = ktap::dir().join("low");
    std::fs::create_dir_all(&low).expect("directory");
    let at = top();
    let r = l.run(|mnt| {
        overlay(&low, &mnt.join("up"), &mnt.join("work"), &at)?;
        umount(&at, 0)
    });
    l.finish();
    r
}

/// A layer that may change behind overlayfs must have whiteouts and attributes.
fn layer_on_top_refused() {
    let plain = Init::plain();
    assert_eq!(refused(&plain, |_| {}), Ok(()), "nothing is missing");
    assert_eq!(refused(&plain, |fs| fs.xattrs = false), Err(EINVAL));
    let e = Answer::Err(EINVAL);
    assert_eq!(
        refused(&plain, |fs| fs.on(Op::RENAME2, e.clone())),
        Err(EINVAL)
    );
    let e = Answer::Err(ENOSYS);
    assert_eq!(
        refused(&plain, |fs| fs.on(Op::RENAME2, e.clone())),
        Err(EINVAL)
    );
    let old = Init {
        minor: 22,
        ..Init::plain()
    };
    assert_eq!(refused(&old, |_| {}), Err(EINVAL));
    let ops = [
        Op::RENAME2,
        Op::MKDIR,
        Op::SETXATTR,
        Op::READDIR,
        Op::STATFS,
    ];
    let said = ops.iter().flat_map(|op| {
        [EIO, EPERM].map(|e| {
            let r = refused(&plain, |fs| fs.on(*op, Answer::Err(e)));
            format!("{op:?} {e}: {r:?}")
        })
    });
    compare(said);
}

/// That one it can do without.
fn layer_on_top_without_tmpfile() {
    let lack = |fs: &mut Memfs| fs.on(Op::TMPFILE, Answer::Err(ENOSYS));
    assert_eq!(refused(&Init::plain(), lack), Ok(()));
}

/// What is read-only is no layer to write to, but one to read.
fn layer_read_only() {
    ktap::needs("CONFIG_OVERLAY_FS");
    let s = Setup {
        flags: libc::MS_RDONLY,
        ..Setup::default()
    };
    let (mut m, mut fs) = (Mock::with(&s, &Init::plain()), Memfs::new());
    m.without_record();
    fs.xattrs = true;
    for name in ["up", "work", "low"] {
        let d = fs.dir(name);
        fs.add(d, "f", libc::S_IFREG | 0o644, b"text");
    }
    let (at, rw) = (top(), tmpfs("rw", &["up", "work"]));
    let dir = rw.clone();
    let r: (Res<()>, Res<()>, Res<Vec<String>>) = m.run(&mut fs, |mnt| {
        let refused = overlay(&mnt.join("low"), &mnt.join("up"), &mnt.join("work"), &at);
        let r = overlay(&mnt.join("low"), &dir.join("up"), &dir.join("work"), &at);
        let list = user::list(&at);
        let _ = umount(&at, 0);
        (refused, r, list)
    });
    assert_eq!(r, (Err(EINVAL), Ok(()), Ok(vec!["f".into()])));
    umount(&rw, 0).expect("tmpfs");
    m.drain(&mut |r| fs.handle(r));
    m.finish();
}

/// With its daemon a layer fails, and can be unmounted.
fn dies(low: impl FnOnce(&Path) -> (PathBuf, PathBuf, PathBuf) + Copy) {
    let mut l = Layer::new(&Init::plain());
    let d = l.fs.dir("low");
    fill(&mut l.fs, d);
    l.fs.dir("up");
    l.fs.dir("work");
    let at = top();
    let to = at.clone();
    let r: Res<()> = l.run(|mnt| {
        let (lower, upper, work) = low(mnt);
        overlay(&lower, &upper, &work, &to)?;
        user::list(&to).map(drop)
    });
    assert_eq!(r, Ok(()));
    let mnt = l.m.die();
    let said = [
        format!("{:?}", user::lstat(&at.join("left")).map(|s| s.size)),
        format!("{:?}", user::list(&at.join("d"))),
        format!("{:?}", user::mkdir(&at.join("new"), 0o755)),
        format!("{:?}", user::statfs(&at).map(|s| s[0])),
    ];
    umount(&at, 0).expect("overlay");
    umount(&mnt, 0).expect("umount");
    compare(said);
}

fn layer_below_dies() {
    ktap::needs("CONFIG_OVERLAY_FS");
    let rw = tmpfs("rw", &["up", "work"]);
    let dir = &rw;
    dies(|mnt| (mnt.join("low"), dir.join("up"), dir.join("work")));
    umount(&rw, 0).expect("tmpfs");
}

fn layer_on_top_dies() {
    ktap::needs("CONFIG_OVERLAY_FS");
    let rw = tmpfs("rw", &["low"]);
    let dir = &rw;
    dies(|mnt| (dir.join("low"), mnt.join("up"), mnt.join("work")));
    umount(&rw, 0).expect("tmpfs");
}

/// The other way round: what the daemon shows is an overlay, whose files change when they are
/// copied up.
fn daemon_over_overlay() {
    ktap::needs("CONFIG_OVERLAY_FS");
    let (low, rw) = (lower_in_tmpfs(), tmpfs("rw", &["up", "work"]));
    let (src, _) = dirs();
    overlay(&low, &rw.join("up"), &rw.join("work"), &src).expect("overlay");
    let mut said = Vec::new();
    for cache in ["never", "auto", "always"] {
        let d = Daemon::passthrough_ll(&format!("xattr,cache={cache}"));
        said.push(cache.to_string());
        said.extend(work(&d.mnt));
        same_tree(&d, "");
        d.stop();
    }
    umount(&src, 0).expect("overlay");
    umount(&rw, 0).expect("tmpfs");
    umount(&low, 0).expect("tmpfs");
    compare(said);
}
