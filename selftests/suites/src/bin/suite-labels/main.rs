// SPDX-License-Identifier: GPL-2.0

//! Suite `labels`: mounts under SELinux with a policy, which is loaded once for the whole machine:
//! `selinux_policy` in scripts/lib/build.sh. By it what is below a mount has the type `fuse_t`, and
//! what is made there `made_t`, or `made_dir_t` if it is a directory.

use std::os::fd::AsFd;
use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::mount::{mount, open_dev};
use mockd::wire::Op;
use mockd::{user, Init, Mock, Setup};
use suites::extensions::{context, extensions, make, MAKERS};

const SELINUXFS: &str = "/sys/fs/selinux";
const LABEL: &str = "security.selinux";

/// This process's own label, or what it asks to be labelled so: see proc_pid_attr(5).
fn own(what: &str) -> String {
    format!("/proc/thread-self/attr/{what}")
}

/// Loads the policy, unless an earlier case has.
fn policy() {
    ktap::needs("CONFIG_SECURITY_SELINUX");
    let label = std::fs::read_to_string(own("current")).expect("label of this process");
    if label.starts_with("user_u:base_r:base_t") {
        return;
    }
    let fs = Path::new(SELINUXFS);
    if !fs.join("load").exists() {
        mount("none", fs, "selinuxfs", 0, "").expect("mount of selinuxfs");
    }
    let bin = std::env::var("RF_BIN").expect("RF_BIN");
    let text = std::fs::read(Path::new(&bin).join("policy")).expect("policy");
    std::fs::write(fs.join("load"), text).expect("load of the policy");
}

fn labelled(kind: &str) -> String {
    format!("user_u:object_r:{kind}")
}

/// A mount of a daemon that has agreed to be told labels, and files with a directory "d".
fn mounted(setup: &Setup) -> (Mock, Memfs) {
    policy();
    let mut fs = Memfs::new();
    fs.dir("d");
    fs.file("f", b"text");
    fs.xattrs = true;
    (Mock::with(setup, &Init::plain().with("SECURITY_CTX")), fs)
}

/// What the daemon is told of all that is made, by operation.
#[track_caller]
fn told(m: &Mock) -> Vec<String> {
    let text = |ext: Vec<u8>| {
        let (text, rest) = context(&ext);
        assert_eq!(rest, []);
        text.expect("a label")
    };
    extensions(m).into_iter().map(text).collect()
}

/// By the policy, or the mount's where it has one.
fn by_kind() -> Vec<String> {
    let kind = |op: &Op| {
        labelled(if *op == Op::MKDIR {
            "made_dir_t"
        } else {
            "made_t"
        })
    };
    MAKERS.iter().map(kind).collect()
}

/// What is made below "d" of a mount with these options.
#[track_caller]
fn made(setup: Setup) -> Vec<String> {
    let (mut m, mut fs) = mounted(&setup);
    let r: Res<()> = m.run(&mut fs, |mnt| make(&mnt.join("d"), ""));
    assert_eq!(r, Ok(()));
    let told = told(&m);
    m.finish();
    told
}

fn made_by_policy() {
    assert_eq!(made(Setup::default()), by_kind());
}

/// All below the mount has the one label that it was given.
fn made_with_context() {
    let label = labelled("base_t");
    let setup = Setup::default().opt("context", &label);
    assert_eq!(made(setup), vec![label; MAKERS.len()]);
}

/// The label of the mount, of its root, or of what has none makes no difference to what is made.
fn made_with_others() {
    for option in ["fscontext", "rootcontext"] {
        let told = made(Setup::default().opt(option, &labelled("fuse_t")));
        assert_eq!(told, by_kind(), "{option}");
    }
}

/// A label that the caller asks for is for file systems that keep labels.
fn made_as_asked() {
    let (mut m, mut fs) = mounted(&Setup::default());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        std::fs::write(own("fscreate"), labelled("base_t")).expect("fscreate");
        make(&mnt.join("d"), "")
    });
    assert_eq!(r, Ok(()));
    assert_eq!(told(&m), by_kind());
    m.finish();
}

/// The kernel's own label is what callers see: the daemon is not asked, and what it was told when
/// something was made is not looked up again.
fn seen() {
    let (mut m, mut fs) = mounted(&Setup::default());
    let r: Res<Vec<String>> = m.run(&mut fs, |mnt| {
        make(&mnt.join("d"), "")?;
        ["", "f", "d", "d/d", "d/f"]
            .iter()
            .map(|name| {
                let (_, label) = user::getxattr(&mnt.join(name), LABEL, 100)?;
                Ok(String::from_utf8_lossy(&label).into_owned())
            })
            .collect()
    });
    println!("{r:?}");
    let labels = r.expect("labels");
    assert!(
        labels.iter().all(|l| *l == labelled("fuse_t") + "\0"),
        "{labels:?}"
    );
    assert_eq!(m.rec.count(Op::GETXATTR), 0);
    m.finish();
}

/// Nobody changes labels that are the kernel's own.
fn changed() {
    let (mut m, mut fs) = mounted(&Setup::default());
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let label = labelled("base_t");
        user::setxattr(&mnt.join("f"), LABEL, label.as_bytes(), 0)
    });
    assert_eq!(r, Err(EOPNOTSUPP));
    assert_eq!(m.rec.count(Op::SETXATTR), 0);
    m.finish();
}

/// A label that the policy does not know, and two of which the one leaves no place for the other.
fn refused() {
    policy();
    for options in [
        &[("context", "user_u:object_r:nobody_t")][..],
        &[
            ("context", "user_u:object_r:base_t"),
            ("defcontext", "user_u:object_r:base_t"),
        ],
    ] {
        let setup = options
            .iter()
            .fold(Setup::default(), |s, (key, value)| s.opt(key, value));
        let dev = open_dev(false).expect("the device");
        let target = ktap::dir().join("m");
        let _ = std::fs::create_dir(&target);
        assert_eq!(
            setup.mount(dev.as_fd(), &target),
            Err(EINVAL),
            "{options:?}"
        );
    }
}

/// What is made on a mount of a daemon that has not agreed has labels, too, but it is not told.
fn not_agreed() {
    policy();
    let mut m = Mock::with(&Setup::default(), &Init::plain());
    let mut fs = Memfs::new();
    fs.dir("d");
    let r: Res<()> = m.run(&mut fs, |mnt| make(&mnt.join("d"), ""));
    assert_eq!(r, Ok(()));
    assert!(extensions(&m).iter().all(Vec::is_empty));
    m.finish();
}

fn main() {
    let all: Vec<Case> = cases![
        made_by_policy,
        made_with_context,
        made_with_others,
        made_as_asked,
        seen,
        changed,
        refused,
        not_agreed,
    ];
    ktap::run("labels", all);
}
