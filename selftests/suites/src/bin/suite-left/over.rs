// SPDX-License-Identifier: GPL-2.0

//! A filesystem on top: overlayfs over the mount, whose callers are killed.

use std::path::Path;

use ktap::{cases, Case};
use mockd::memfs::Memfs;
use mockd::mount::{mount, umount};
use mockd::user;
use mockd::wire::Op;

use crate::scene::{show, Act, Scene};

pub fn cases() -> Vec<Case> {
    cases![overlay]
}

fn stat(dir: &Path, name: &'static str) -> Act {
    let p = dir.join(name);
    Box::new(move || show(user::lstat(&p).map(|s| s.size)))
}

/// A's LOOKUP comes through the overlay. A LOOKUP beside it is served, who changes the directory
/// waits.
fn overlay() {
    let mut fs = Memfs::new();
    let d = fs.dir("d");
    for name in ["n1", "n2", "n3"] {
        fs.add(d, name, libc::S_IFREG | 0o644, name.as_bytes());
    }
    let mut s = Scene::new(fs);
    let base = ktap::dir();
    let (rw, over) = (base.join("rw"), base.join("over"));
    for p in [&rw, &over] {
        user::mkdir(p, 0o755).expect("mkdir");
    }
    mount("x", &rw, "tmpfs", 0, "").expect("tmpfs");
    for name in ["up", "work"] {
        user::mkdir(&rw.join(name), 0o755).expect("mkdir");
    }
    let (at, from) = (over.clone(), rw.clone());
    // By a caller, as it asks the daemon.
    let mut mounter = s.actor("mounter", move |mnt| {
        let (up, work) = (from.join("up"), from.join("work"));
        let (low, up, work) = (mnt.display(), up.display(), work.display());
        let data = format!("lowerdir={low},upperdir={up},workdir={work}");
        mount("x", &at, "overlay", 0, &data).expect("overlay");
        user::lstat(&at.join("d")).expect("lstat");
        Box::new(move || show(umount(&at, 0)))
    });
    let o = over.clone();
    let mut a = s.actor("first", move |_| stat(&o, "d/n1"));
    let o = over.clone();
    let mut b = s.actor("second", move |_| stat(&o, "d/n2"));
    let mut c = s.actor("third", |mnt| {
        user::lstat(&mnt.join("d")).expect("lstat");
        let p = mnt.join("d/m");
        Box::new(move || show(user::mkdir(&p, 0o755)))
    });
    let r = s.leave("first", &mut a, Op::LOOKUP, "n1");
    assert_eq!(s.acts(&mut b).as_deref(), Some("Ok(2)"));
    s.waits(&mut c);
    s.answered("first", &mut a, &r);
    assert_eq!(s.said(&mut c), "Ok(())");
    let o = over.clone();
    let mut e = s.actor("fourth", move |_| stat(&o, "d/n1"));
    assert_eq!(s.act(&mut e), "Ok(2)");
    for c in [&mut b, &mut e] {
        c.kill(libc::SIGKILL);
        s.gone(c);
    }
    assert_eq!(s.act(&mut mounter), "Ok(())");
    s.end(vec![c, mounter]);
    umount(&rw, 0).expect("tmpfs");
}
