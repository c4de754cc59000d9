// SPDX-License-Identifier: GPL-2.0

//! GETXATTR, SETXATTR, LISTXATTR and REMOVEXATTR.

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::Mock;
use suites::catalogue::sample;

pub fn cases() -> Vec<Case> {
    cases![xattr_unknown, xattr_rules_of_the_vfs]
}

/// A daemon without extended attributes.
fn xattr_unknown() {
    let (mut m, mut fs) = (Mock::new(), Memfs::new());
    fs.file("f", b"text");
    let r: Vec<Res<()>> = m.run(&mut fs, |mnt| {
        let f = mnt.join("f");
        let mut v = vec![];
        for _ in 0..2 {
            v.push(user::getxattr(&f, "user.a", 100).map(drop));
            v.push(user::getxattr(&f, "user.a", 0).map(drop));
            v.push(user::setxattr(&f, "user.a", b"value", 0));
            v.push(user::removexattr(&f, "user.a"));
        }
        v
    });
    assert_eq!(r, [Err(EOPNOTSUPP); 8]);
    m.finish();
}

/// What the VFS refuses before anybody is asked: by name, by length, by the kind of the file, by
/// who asks.
fn xattr_rules_of_the_vfs() {
    let (mut m, mut fs) = (Mock::new(), sample());
    fs.xattrs = true;
    let mode = &mut fs
        .nodes
        .get_mut(&mockd::wire::ROOT)
        .expect("root")
        .attr
        .mode;
    *mode |= 0o777;
    let r: Res<()> = m.run(&mut fs, |mnt| {
        let at = |name: &str| mnt.join(name);
        let get = |name: &str, xattr: &str| user::getxattr(&at(name), xattr, 100).err();
        let set = |name: &str, xattr: &str| user::setxattr(&at(name), xattr, b"", 0).err();
        let remove = |name: &str, xattr: &str| user::removexattr(&at(name), xattr).err();

        let long = format!("user.{}", "x".repeat(251));
        for xattr in ["", &long] {
            assert_eq!(get("f", xattr), Some(ERANGE));
            assert_eq!(set("f", xattr), Some(ERANGE));
            assert_eq!(remove("f", xattr), Some(ERANGE));
        }
        let value = vec![0; 65537];
        assert_eq!(user::setxattr(&at("f"), "user.b", &value, 0), Err(E2BIG));
        assert_eq!(user::setxattr(&at("f"), "user.b", b"", 4), Err(EINVAL));
        // On files and directories only.
        assert_eq!(get("l", "user.a"), Some(ENODATA));
        assert_eq!(set("l", "user.a"), Some(EPERM));
        assert_eq!(remove("l", "user.a"), Some(EPERM));
        Ok(())
    });
    assert_eq!(r, Ok(()));
    m.finish();
}
