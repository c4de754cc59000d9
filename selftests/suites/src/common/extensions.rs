// SPDX-License-Identifier: GPL-2.0

//! What comes behind the names in requests that make something: the extensions.

use std::path::Path;

use mockd::errno::*;
use mockd::wire::Op;
use mockd::{user, Mock};

/// In the order in which [`make`] sends them.
pub const MAKERS: [Op; 5] = [Op::MKNOD, Op::MKDIR, Op::SYMLINK, Op::CREATE, Op::TMPFILE];

/// Makes something by each operation, with names that begin so.
pub fn make(dir: &Path, name: &str) -> Res<()> {
    let at = |kind: &str| dir.join(format!("{name}{kind}"));
    user::mknod(&at("n"), libc::S_IFIFO | 0o600, 0)?;
    user::mkdir(&at("d"), 0o755)?;
    user::symlink("text", &at("l"))?;
    drop(user::open(&at("f"), libc::O_CREAT | libc::O_RDWR, 0o640)?);
    user::open(dir, libc::O_TMPFILE | libc::O_RDWR, 0o640).map(drop)
}

/// The extensions of each operation, in the order of [`MAKERS`].
#[track_caller]
pub fn extensions(m: &Mock) -> Vec<Vec<u8>> {
    let all = m.rec.all();
    let of = |op: &Op| {
        let mut rs = all.iter().filter(|r| r.op == *op);
        rs.next_back()
            .unwrap_or_else(|| panic!("no {op:?}"))
            .ext()
            .to_vec()
    };
    MAKERS.iter().map(of).collect()
}

/// A security module is there that has something to say.
fn labels() -> bool {
    let text = std::fs::read_to_string("/proc/filesystems").expect("/proc/filesystems");
    text.contains("selinuxfs")
}

/// Looks at the context at the beginning, and gives its text, if there is one, and what follows.
#[track_caller]
pub fn context(ext: &[u8]) -> (Option<String>, &[u8]) {
    let word = |at: usize| u32::from_ne_bytes(ext[at..at + 4].try_into().expect("four")) as usize;
    let (size, count) = (word(0), word(4));
    assert_eq!(count, usize::from(labels()), "{ext:?}");
    let (own, rest) = ext.split_at(size);
    if count == 0 {
        assert_eq!(own.len(), 8);
        return (None, rest);
    }
    let (len, padding) = (word(8), word(12));
    assert_eq!(padding, 0);
    let name = b"security.selinux\0";
    let used = 16 + name.len() + len;
    assert_eq!(&own[16..16 + name.len()], name);
    assert_eq!(size, used.next_multiple_of(8));
    assert!(own[used..].iter().all(|b| *b == 0));
    let text = &own[16 + name.len()..used];
    assert_eq!(text.last(), Some(&0));
    let text = String::from_utf8_lossy(&text[..len - 1]).into_owned();
    (Some(text), rest)
}
