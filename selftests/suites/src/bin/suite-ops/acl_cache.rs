// SPDX-License-Identifier: GPL-2.0

//! An ACL that was asked for before it changed is not kept.

use std::path::Path;

use ktap::{cases, Case};
use mockd::errno::*;
use mockd::memfs::Memfs;
use mockd::user;
use mockd::wire::{Op, ROOT};
use mockd::{Init, Mock, Setup};

use crate::acl::{for_user, ACCESS, NOBODY};

pub fn cases() -> Vec<Case> {
    cases![acl_answer_older_than_change]
}

/// What makes the kernel forget ACLs that it knows.
type Change = fn(&Path) -> Res<()>;

/// The answer is for the call that asked. It came too late to be known from then on.
fn acl_answer_older_than_change() {
    let changes: [Change; 3] = [
        |f| user::setxattr(f, ACCESS, &for_user(NOBODY, 6), 0),
        |f| user::chmod(f, 0o660),
        |f| user::statx(f, libc::AT_STATX_FORCE_SYNC, libc::STATX_BASIC_STATS).map(drop),
    ];
    for change in changes {
        let init = Init::plain().with("POSIX_ACL");
        let mut m = Mock::with(&Setup::default().opt("allow_other", ""), &init);
        let mut fs = Memfs::new();
        fs.xattrs = true;
        // No ACL is looked at where the group may do nothing.
        fs.nodes.get_mut(&ROOT).expect("root").attr.mode = libc::S_IFDIR | 0o701;
        let f = fs.add(ROOT, "f", libc::S_IFREG | 0o670, b"text");
        let reads = |p: &Path| {
            user::become_user(NOBODY, NOBODY);
            user::access(p, libc::R_OK)
        };
        let first = m.call("f", reads);
        let asked = m.serve_until(Op::GETXATTR, &mut fs);
        assert_eq!(asked.node, f);
        let r: Res<()> = m.run(&mut fs, |mnt| change(&mnt.join("f")));
        assert_eq!(r, Ok(()));
        let xattrs = &mut fs.nodes.get_mut(&f).expect("f").xattrs;
        xattrs.insert(ACCESS.into(), for_user(NOBODY, 6));
        m.reply(&asked, &for_user(NOBODY, 0));
        // Who may not looks once more, at fresh attributes: were it known, this would not help.
        let r: Res<()> = m.serve(first, &mut |r| fs.handle(r));
        assert_eq!((r, m.rec.count(Op::GETXATTR)), (Ok(()), 2));
        let second = m.call("f", reads);
        let r: Res<()> = m.serve(second, &mut |r| fs.handle(r));
        assert_eq!((r, m.rec.count(Op::GETXATTR)), (Ok(()), 2));
        m.finish();
    }
}
