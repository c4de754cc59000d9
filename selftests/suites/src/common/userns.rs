// SPDX-License-Identifier: GPL-2.0

//! An ordinary user in namespaces of their own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Becomes `user`, who is root, and the only one, in new user and mount namespaces.
pub fn enter(user: u32) {
    mockd::user::become_user(user, user);
    // A process that has changed its user does not own its files in /proc otherwise.
    // SAFETY: prctl and unshare with integers.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 1);
        assert_eq!(
            libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS),
            0,
            "{}",
            mockd::errno::last()
        );
    }
    let put = |file: &str, text: &str| {
        std::fs::write(Path::new("/proc/self").join(file), text).expect(file)
    };
    put("setgroups", "deny");
    put("uid_map", &format!("0 {user} 1"));
    put("gid_map", &format!("0 {user} 1"));
}

/// Lets `user` mount: the case's directory and the device are theirs to use.
pub fn allow(user: u32) {
    std::os::unix::fs::chown(ktap::dir(), Some(user), Some(user)).expect("chown");
    // What udev does elsewhere: the device is there for everybody.
    let all = std::fs::Permissions::from_mode(0o666);
    std::fs::set_permissions("/dev/fuse", all).expect("chmod");
}
