// SPDX-License-Identifier: GPL-2.0

//! The same without privileges: as an ordinary user, root only of a user namespace of its own.

use mockd::msg::Msg;
use mockd::{Caller, Io};

const USER: u32 = 1000;

/// Runs `f` as an ordinary user in new user and mount namespaces, in a directory of its own, and
/// gives its value. It must call its argument at least as often as patience lasts.
pub fn run<T: Msg>(f: impl FnOnce(&dyn Fn()) -> T) -> T {
    ktap::needs("CONFIG_USER_NS");
    suites::userns::allow(USER);
    let mut c = Caller::spawn(None, |io: &Io| {
        suites::userns::enter(USER);
        let v = f(&|| io.put(true));
        io.put(false);
        v
    });
    while c.get::<bool>() {}
    c.join()
}
