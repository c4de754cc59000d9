// SPDX-License-Identifier: GPL-2.0

//! The same without privileges: as an ordinary user, root only of a user namespace of its own.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mockd::msg::Msg;
use mockd::{Caller, Io};

const USER: u32 = 1000;

/// Runs `f` as an ordinary user in new user and mount namespaces, in a directory of its own, and gives its
/// value. It must call its argument at least as often as patience lasts.
pub fn run<T: Msg>(f: impl FnOnce(&dyn Fn()) -> T) -> T {
    std::os::unix::fs::chown(ktap::dir(), Some(USER), Some(USER)).expect("chown");
    // What udev does elsewhere: the device is there for everybody.
    std::fs::set_permissions("/dev/fuse", std::fs::Permissions::from_mode(0o666)).expect("chmod");
    let mut c = Caller::spawn(None, |io: &Io| {
        enter();
        let v = f(&|| io.put(true));
        io.put(false);
        v
    });
    while c.get::<bool>() {}
    c.join()
}

fn enter() {
    mockd::user::become_user(USER, USER);
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
    put("uid_map", &format!("0 {USER} 1"));
    put("gid_map", &format!("0 {USER} 1"));
}
