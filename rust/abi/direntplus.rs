// SPDX-License-Identifier: GPL-2.0

//! The entries in a reply to READDIRPLUS.
//!
//! C counterpart: `struct fuse_direntplus`, `parse_dirplusfile`, and the checks of
//! `fuse_direntplus_link` (readdir.c). Takes no locks.
//!
//! Each is a `struct fuse_entry_out`, as LOOKUP has it, and after it what READDIR has
//! ([`dirent`]):
//!
//! ```text
//! 05 00 00 00 00 00 00 00  ...         128 bytes: the node, how long, the attributes
//! 03 00 00 00 00 00 00 00  ...          24 bytes, the name, and up to the next multiple of 8
//! ```

use super::{
    dirent::{
        self,
        Dirent, //
    },
    entry::{
        FuseEntryOut,
        SeenEntry, //
    },
    error::BadReply,
    ids::NodeId, //
};
use zerocopy::FromBytes;

/// What a READDIRPLUS says of a name beside what READDIR does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlusNode<'a> {
    /// Nothing: the daemon did not want to, or the name is `.` or `..`, whose nodes nobody counts.
    Unsaid,
    /// Something impossible. The node is to be given back.
    Bad(NodeId),
    /// As LOOKUP; never the root.
    Found(SeenEntry<'a>),
}

/// A directory entry with its node, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Direntplus<'a> {
    /// As READDIR gives it.
    pub dirent: Dirent<'a>,
    /// As LOOKUP gives it.
    pub node: PlusNode<'a>,
}

/// Goes through a reply to READDIRPLUS, as [`Dirents`](dirent::Dirents) through one to READDIR.
///
/// The nodes of entries that are never reached, after a bad one, are not counted by anybody, as in
/// C.
#[derive(Clone, Debug)]
pub struct Direntpluses<'a> {
    rest: &'a [u8],
}

impl<'a> Direntpluses<'a> {
    /// Of the whole payload, which lies at a multiple of 8, as what the kernel allocates does.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// What has not been gone through yet.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next entry, and what follows; `None` at the end.
    #[inline(always)]
    fn parse(bytes: &'a [u8]) -> Result<Option<(Direntplus<'a>, &'a [u8])>, BadReply> {
        let Some((raw, dirent, rest)) = dirent::record(bytes, size_of::<FuseEntryOut>())? else {
            return Ok(None);
        };
        let raw = FuseEntryOut::ref_from_bytes(raw).map_err(|_| BadReply::Length)?;
        let node = match NodeId::new(raw.nodeid) {
            None => PlusNode::Unsaid,
            Some(_) if matches!(dirent.name, b"." | b"..") => PlusNode::Unsaid,
            Some(node) if node.is_root() => PlusNode::Bad(node),
            Some(node) => raw.found(node).map_or(PlusNode::Bad(node), PlusNode::Found),
        };
        Ok(Some((Direntplus { dirent, node }, rest)))
    }
}

impl<'a> Iterator for Direntpluses<'a> {
    type Item = Result<Direntplus<'a>, BadReply>;

    // Inlined, as is the rest of it: moving an entry around costs more than reading it.
    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let parsed = Self::parse(self.rest);
        dirent::step(&mut self.rest, parsed)
    }
}

impl core::iter::FusedIterator for Direntpluses<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{
        testing::*,
        FileType,
        Timeout, //
    };
    use zerocopy::IntoBytes;

    /// A payload at a multiple of 8.
    #[derive(Default)]
    struct Payload(Vec<u64>);

    impl Payload {
        fn push_raw(&mut self, bytes: &[u8]) {
            for word in bytes.chunks(8) {
                let mut full = [0xaa; 8];
                full[..word.len()].copy_from_slice(word);
                self.0.push(u64::from_ne_bytes(full));
            }
        }

        fn push(&mut self, raw: &FuseEntryOut, namelen: u32, name: &[u8]) {
            self.push_raw(raw.as_bytes());
            let off = self.0.len() as u64;
            let dirent = wire().u64(3).u64(off).u32(namelen).u32(8);
            self.push_raw(&[&dirent.0, name].concat());
        }

        fn bytes(&self) -> &[u8] {
            self.0.as_bytes()
        }
    }

    fn one(raw: &FuseEntryOut, name: &[u8]) -> Payload {
        let mut payload = Payload::default();
        payload.push(raw, name.len() as u32, name);
        payload
    }

    fn parse(payload: &[u8]) -> Vec<Result<Direntplus<'_>, BadReply>> {
        Direntpluses::new(payload).collect()
    }

    fn only(raw: &FuseEntryOut, name: &[u8], is: impl FnOnce(PlusNode<'_>)) {
        let payload = one(raw, name);
        let parsed = parse(payload.bytes());
        assert_eq!(parsed.len(), 1);
        is(parsed[0].expect("good").node);
    }

    fn is_unsaid(node: PlusNode<'_>) {
        assert_eq!(node, PlusNode::Unsaid);
    }

    #[test]
    fn an_entry_and_a_dirent() {
        let payload = one(&raw_entry(5, 0o040755), b"ab");
        assert_eq!(payload.bytes().len(), 160);
        let parsed = parse(payload.bytes());
        let entry = parsed[0].expect("good");
        assert_eq!((entry.dirent.ino, entry.dirent.kind), (3, 8));
        assert_eq!(entry.dirent.name, b"ab");
        let PlusNode::Found(found) = entry.node else {
            panic!("{:?}", entry.node);
        };
        assert_eq!((found.node, found.generation.get()), (node(5), 7));
        assert_eq!(found.entry_valid, Timeout::new(20, 21));
        assert_eq!(found.attr_valid, Timeout::new(30, 31));
        assert_eq!(found.attr.kind(), FileType::Directory);
    }

    #[test]
    fn what_is_not_said() {
        for name in [&b"a"[..], b"."] {
            only(&raw_entry(0, 0), name, is_unsaid);
        }
        for name in [&b"."[..], b".."] {
            for nodeid in [1, 5, u64::MAX] {
                only(&raw_entry(nodeid, 0o100644), name, is_unsaid);
            }
        }
        for name in [&b"..."[..], b".a", b"a.", b"..a", b".\0"] {
            only(&raw_entry(5, 0o100644), name, |node| {
                assert!(matches!(node, PlusNode::Found(_)), "{name:?}");
            });
        }
    }

    #[test]
    fn what_is_given_back() {
        let bad = |of| move |is: PlusNode<'_>| assert_eq!(is, PlusNode::Bad(of));
        for mode in [0, 0o644, 0o170000, 0o030644] {
            only(&raw_entry(5, mode), b"a", bad(node(5)));
        }
        let mut raw = raw_entry(5, 0o100644);
        raw.attr.size = 1 << 63;
        only(&raw, b"a", bad(node(5)));
        only(&raw_entry(1, 0o040755), b"a", bad(NodeId::ROOT));
    }

    #[test]
    fn a_tail_that_is_cut_off_is_left_out() {
        let mut payload = one(&raw_entry(5, 0o100644), b"first");
        let first = payload.bytes().len();
        payload.push(&raw_entry(6, 0o100644), 12, b"second entry");
        for len in 0..payload.bytes().len() {
            let parsed = parse(&payload.bytes()[..len]);
            assert_eq!(parsed.len(), usize::from(len >= first), "{len} bytes");
            assert!(parsed.iter().all(Result::is_ok), "{len} bytes");
        }
        assert_eq!(parse(payload.bytes()).len(), 2);
    }

    #[test]
    fn bad_names_end_it_with_an_error() {
        let long = vec![b'x'; 4096];
        for (namelen, name) in [
            (0, &b"a"[..]),
            (1, b"/"),
            (3, b"a/b"),
            (4096, &long),
            (u32::MAX, b"a"),
        ] {
            let mut payload = one(&raw_entry(5, 0o100644), b"good");
            payload.push(&raw_entry(6, 0o100644), namelen, name);
            payload.push(&raw_entry(7, 0o100644), 4, b"late");
            let parsed = parse(payload.bytes());
            assert_eq!(parsed.len(), 2, "{namelen}");
            assert!(parsed[0].is_ok());
            assert_eq!(parsed[1], Err(BadReply::Name));
        }
        assert!(parse(one(&raw_entry(5, 0o100644), &long[1..]).bytes())[0].is_ok());
    }

    #[test]
    fn garbage_does_no_harm() {
        let mut entries = 0;
        for seed in seeds() {
            let mut random = Random::new(seed);
            for _ in 0..rounds() {
                let mut payload = Payload::default();
                for _ in 0..random.below(5) {
                    let mut raw = raw_entry(random.below(4) as u64, 0o100644);
                    if random.below(4) == 0 {
                        raw.attr.mode = random.next() as u32;
                        raw.attr.size = random.edgy();
                    }
                    let name = vec![b'a' + random.below(26) as u8; 1 + random.below(30)];
                    let namelen = match random.below(8) {
                        0 => random.edgy() as u32,
                        _ => name.len() as u32,
                    };
                    payload.push(&raw, namelen, &name);
                }
                let len = random.below(2 * payload.bytes().len() + 1);
                let bytes = payload.bytes();
                let bytes = &bytes[..len.min(bytes.len())];
                let mut rest = bytes.len();
                for entry in Direntpluses::new(bytes) {
                    let Ok(entry) = entry else { break };
                    // Each takes what it says, and no more than there is.
                    let taken = (152 + entry.dirent.name.len()).next_multiple_of(8);
                    assert!(taken <= rest);
                    rest -= taken;
                    if let PlusNode::Found(found) = entry.node {
                        assert!(!found.node.is_root() && found.attr.size() >= 0);
                    }
                    entries += 1;
                }
            }
        }
        assert!(entries > 1000, "next to no entries: {entries}");
    }
}
