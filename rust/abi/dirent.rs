// SPDX-License-Identifier: GPL-2.0

//! The entries in a reply to READDIR.
//!
//! C counterpart: `struct fuse_dirent`, `parse_dirfile` (readdir.c). Takes no locks.
//!
//! "ab", a regular file with the number 3, after which the directory goes on at 7:
//!
//! ```text
//! 03 00 00 00 00 00 00 00              ino
//! 07 00 00 00 00 00 00 00              off
//! 02 00 00 00  namelen                 08 00 00 00  type: DT_REG
//! 61 62 00 00 00 00 00 00              the name, and up to the next multiple of 8 anything
//! ```

use super::{
    error::BadReply,
    name, //
};
use zerocopy::{
    FromBytes,
    IntoBytes, //
};

/// The longest name in bytes.
const NAME_MAX: usize = name::NAME_MAX as usize;

/// Of each entry's length.
const ALIGN: usize = 8;

wire! {
    /// C: `struct fuse_dirent` before its name, unchecked.
    struct FuseDirent: 24 {
        ino: u64,
        off: u64,
        namelen: u32,
        r#type: u32,
    }
}

/// Bytes of an entry before its name.
const DIRENT: usize = size_of::<FuseDirent>();

/// A directory entry, checked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dirent<'a> {
    /// For `getdents`; any number.
    pub ino: u64,
    /// Where the next entry is: the directory's position after this one; any number.
    pub off: u64,
    /// `DT_*`: 0 to 15.
    pub kind: u8,
    /// 1 to [`NAME_MAX`] bytes, no slash. A NUL is possible, as in C.
    pub name: &'a [u8],
}

impl Dirent<'_> {
    /// What comes before the name on the wire.
    pub fn head(&self) -> [u8; DIRENT] {
        let raw = FuseDirent {
            ino: self.ino,
            off: self.off,
            // At most `NAME_MAX`.
            namelen: self.name.len() as u32,
            r#type: self.kind.into(),
        };
        let mut head = [0; DIRENT];
        // Of the same length.
        let _ = raw.write_to(&mut head);
        head
    }

    /// Bytes on the wire, up to the next entry.
    pub fn record_len(&self) -> usize {
        DIRENT.saturating_add(self.name.len().next_multiple_of(ALIGN))
    }
}

/// Goes through a reply to READDIR.
///
/// Entries before a bad one are good; after it there is nothing. An entry that is cut off at the
/// end is left out: the next READDIR asks for it.
#[derive(Clone, Debug)]
pub struct Dirents<'a> {
    rest: &'a [u8],
}

impl<'a> Dirents<'a> {
    /// Of the whole payload.
    pub const fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next entry, and what follows; `None` at the end.
    #[inline(always)]
    fn parse(bytes: &'a [u8]) -> Result<Option<(Dirent<'a>, &'a [u8])>, BadReply> {
        Ok(record(bytes, 0)?.map(|(_, dirent, rest)| (dirent, rest)))
    }
}

/// What lies before an entry, the entry, and what follows.
type Record<'a> = (&'a [u8], Dirent<'a>, &'a [u8]);

/// The next entry, with the `lead` bytes before it, a multiple of 8. `None` at the end.
///
/// # Errors
///
/// [`BadReply::Name`].
#[inline(always)]
pub(super) fn record(bytes: &[u8], lead: usize) -> Result<Option<Record<'_>>, BadReply> {
    let Some((lead, bytes)) = bytes.split_at_checked(lead) else {
        return Ok(None);
    };
    let Ok((raw, names)) = FuseDirent::read_from_prefix(bytes) else {
        return Ok(None);
    };
    let namelen = usize::try_from(raw.namelen).map_err(|_| BadReply::Name)?;
    if namelen == 0 || namelen > NAME_MAX {
        return Err(BadReply::Name);
    }
    // The fixed part is a multiple of 8 itself.
    let padded = namelen.next_multiple_of(ALIGN);
    let Some((words, rest)) = names.split_at_checked(padded) else {
        return Ok(None);
    };
    let Some(name) = words.get(..namelen) else {
        return Ok(None);
    };
    if has_slash(words, namelen) {
        return Err(BadReply::Name);
    }
    let dirent = Dirent {
        ino: raw.ino,
        off: raw.off,
        kind: (raw.r#type & 0xf) as u8,
        name,
    };
    Ok(Some((lead, dirent, rest)))
}

/// Whether there is a slash in the first `len` bytes: eight at a time, as most names are short and
/// directories long.
#[inline(always)]
fn has_slash(words: &[u8], len: usize) -> bool {
    const ONES: u64 = u64::MAX / 0xff;
    const SLASHES: u64 = ONES * b'/' as u64;
    let mut len = len;
    for word in words.chunks_exact(ALIGN) {
        // They are of this length.
        let zeroes = word.try_into().map_or(0, u64::from_le_bytes) ^ SLASHES;
        // The high bit of each byte that is zero; above one of these also of others.
        let found = zeroes.wrapping_sub(ONES) & !zeroes & (ONES << 7);
        // The first byte is the lowest; nothing is behind a name that goes on.
        let bits = (len as u32).saturating_mul(8);
        let behind = u64::MAX.checked_shl(bits).unwrap_or(0);
        if found & !behind != 0 {
            return true;
        }
        len = len.saturating_sub(ALIGN);
    }
    false
}

/// A step of an iterator over what is `rest`: `parsed` is the next entry and what follows it. At
/// the end, and after an error, nothing follows.
#[inline(always)]
pub(super) fn step<'a, T>(
    rest: &mut &'a [u8],
    parsed: Result<Option<(T, &'a [u8])>, BadReply>,
) -> Option<Result<T, BadReply>> {
    let (entry, follows) = match parsed {
        Ok(Some((entry, follows))) => (Some(Ok(entry)), follows),
        Ok(None) => (None, &[][..]),
        Err(bad) => (Some(Err(bad)), &[][..]),
    };
    *rest = follows;
    entry
}

impl<'a> Iterator for Dirents<'a> {
    type Item = Result<Dirent<'a>, BadReply>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let parsed = Self::parse(self.rest);
        step(&mut self.rest, parsed)
    }
}

impl core::iter::FusedIterator for Dirents<'_> {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::testing::*;

    fn push(payload: &mut Vec<u8>, ino: u64, off: u64, kind: u32, name: &[u8]) {
        payload.extend(ino.to_ne_bytes());
        payload.extend(off.to_ne_bytes());
        payload.extend((name.len() as u32).to_ne_bytes());
        payload.extend(kind.to_ne_bytes());
        payload.extend(name);
        while payload.len() % 8 != 0 {
            payload.push(0xaa);
        }
    }

    fn one(name: &[u8]) -> Vec<u8> {
        let mut payload = vec![];
        push(&mut payload, 1, 2, 8, name);
        payload
    }

    fn parse(payload: &[u8]) -> Vec<Result<Dirent<'_>, BadReply>> {
        Dirents::new(payload).collect()
    }

    #[test]
    fn slashes_in_names_alone() {
        for len in 1..40usize {
            let padded = len.next_multiple_of(ALIGN);
            for at in 0..padded {
                // Also bytes that differ from a slash in one bit, and slashes in the padding.
                for other in [b'a', b'/' ^ 1, b'/' ^ 0x80, 0, 0xff] {
                    let mut words = vec![other; padded];
                    words[at] = b'/';
                    assert_eq!(has_slash(&words, len), at < len, "{at} of {len}, {other}");
                    words[at] = other;
                    assert!(!has_slash(&words, len));
                }
            }
        }
    }

    #[test]
    fn entries_in_order() {
        let mut payload = vec![];
        push(&mut payload, 1, 10, 4, b".");
        push(&mut payload, u64::MAX, u64::MAX, 8, b"12345678");
        push(&mut payload, 0, 0, 0, b"a\0b");
        let dirent = |ino, off, kind, name| {
            Ok(Dirent {
                ino,
                off,
                kind,
                name,
            })
        };
        assert_eq!(
            parse(&payload),
            [
                dirent(1, 10, 4, &b"."[..]),
                dirent(u64::MAX, u64::MAX, 8, b"12345678"),
                dirent(0, 0, 0, b"a\0b"),
            ]
        );
        assert_eq!(parse(&[]), []);
    }

    #[test]
    fn an_entry_can_be_written_as_it_was() {
        for name in [&b"a"[..], b"1234567", b"12345678", b"123456789"] {
            let mut payload = vec![];
            push(&mut payload, 1 << 40, 7 << 50, 8, name);
            let dirent = parse(&payload)[0].unwrap();
            assert_eq!(dirent.record_len(), payload.len());
            assert_eq!(dirent.head(), payload[..24]);
            assert_eq!(dirent.name, &payload[24..24 + name.len()]);
        }
    }

    #[test]
    fn only_four_bits_of_the_type() {
        for (kind, seen) in [(0, 0), (15, 15), (16, 0), (0x1008, 8), (u32::MAX, 15)] {
            let mut payload = vec![];
            push(&mut payload, 1, 2, kind, b"a");
            assert_eq!(parse(&payload)[0].map(|dirent| dirent.kind), Ok(seen));
        }
    }

    #[test]
    fn a_tail_that_is_cut_off_is_left_out() {
        let mut payload = one(b"first");
        let first = payload.len();
        push(&mut payload, 3, 4, 8, b"second entry");
        for len in 0..payload.len() {
            let count = usize::from(len >= first);
            assert_eq!(parse(&payload[..len]).len(), count, "{len} bytes");
            assert!(
                parse(&payload[..len]).iter().all(Result::is_ok),
                "{len} bytes"
            );
        }
        // The padding counts: without it the entry is cut off, as in C.
        let payload = one(b"a");
        assert_eq!(payload.len(), 32);
        assert_eq!(parse(&payload[..25]), []);
        assert_eq!(parse(&payload[..31]), []);
        assert_eq!(parse(&payload).len(), 1);
    }

    #[test]
    fn bad_names_end_it_with_an_error() {
        let long = vec![b'x'; NAME_MAX + 1];
        for bad in [&b""[..], b"/", b"a/b", b"ab/", &long] {
            let mut payload = one(b"good");
            push(&mut payload, 3, 4, 8, bad);
            push(&mut payload, 5, 6, 8, b"never seen");
            let parsed = parse(&payload);
            assert_eq!(parsed.len(), 2, "{}", bad.len());
            assert!(parsed[0].is_ok());
            assert_eq!(parsed[1], Err(BadReply::Name));
            let mut dirents = Dirents::new(&payload);
            assert_eq!((&mut dirents).count(), 2);
            assert_eq!(dirents.next(), None);
        }
        assert_eq!(parse(&one(&long[1..])).len(), 1);
        assert!(parse(&one(&long[1..]))[0].is_ok());
    }

    /// C looks at the length of the name before it looks whether all of it is there, and at the
    /// slashes afterwards.
    #[test]
    fn a_bad_length_counts_even_if_cut_off() {
        for namelen in [0, NAME_MAX as u32 + 1, u32::MAX - 7, u32::MAX] {
            let mut payload = one(b"a");
            payload[16..20].copy_from_slice(&namelen.to_ne_bytes());
            assert_eq!(parse(&payload[..24]), [Err(BadReply::Name)], "{namelen}");
            assert_eq!(parse(&payload[..23]), []);
        }
        let payload = one(b"a/longer name");
        assert_eq!(parse(&payload[..32]), []);
        assert_eq!(parse(&payload), [Err(BadReply::Name)]);
    }

    #[test]
    fn every_length_of_a_name() {
        for len in 1..=NAME_MAX {
            let name = vec![b'n'; len];
            let payload = one(&name);
            assert_eq!(payload.len(), (24 + len).div_ceil(8) * 8);
            assert_eq!(parse(&payload)[0].map(|dirent| dirent.name), Ok(&name[..]));
        }
    }

    /// The parser of the C implementation, told again with offsets: what garbage must come to.
    fn model(payload: &[u8]) -> Vec<Result<(u64, usize, usize), ()>> {
        let mut found = vec![];
        let mut at = 0;
        while payload.len() - at >= 24 {
            let word =
                |from: usize| u64::from_ne_bytes(payload[from..from + 8].try_into().unwrap());
            let namelen = word(at + 16).to_ne_bytes();
            let namelen = u32::from_ne_bytes(namelen[..4].try_into().unwrap()) as usize;
            if namelen == 0 || namelen > 4095 {
                found.push(Err(()));
                break;
            }
            let reclen = (24 + namelen + 7) & !7;
            if reclen > payload.len() - at {
                break;
            }
            if payload[at + 24..at + 24 + namelen].contains(&b'/') {
                found.push(Err(()));
                break;
            }
            found.push(Ok((word(at + 8), at + 24, namelen)));
            at += reclen;
        }
        found
    }

    #[test]
    fn garbage_is_taken_apart_as_c_does() {
        let mut entries = 0;
        for seed in seeds() {
            let mut random = Random::new(seed);
            for _ in 0..rounds() {
                let mut payload = vec![];
                for _ in 0..random.below(6) {
                    let longest = if random.below(9) == 0 { 5000 } else { 20 };
                    let len = 1 + random.below(longest);
                    let name: Vec<u8> = (0..len)
                        .map(|_| match random.below(200) {
                            0 => b'/',
                            _ => b'a' + random.below(26) as u8,
                        })
                        .collect();
                    push(
                        &mut payload,
                        random.next(),
                        random.next(),
                        random.next() as u32,
                        &name,
                    );
                    if random.below(6) == 0 {
                        let at = payload.len() - (24 + len).div_ceil(8) * 8 + 16;
                        payload[at..at + 4].copy_from_slice(&(random.edgy() as u32).to_ne_bytes());
                    }
                }
                if random.below(4) == 0 {
                    let len = random.below(100);
                    payload.extend(random.bytes(len));
                }
                payload.truncate(random.below(2 * payload.len() + 1));

                let parsed: Vec<_> = Dirents::new(&payload)
                    .map(|dirent| match dirent {
                        Ok(dirent) => {
                            let at = dirent.name.as_ptr() as usize - payload.as_ptr() as usize;
                            Ok((dirent.off, at, dirent.name.len()))
                        }
                        Err(bad) => {
                            assert_eq!(bad, BadReply::Name);
                            Err(())
                        }
                    })
                    .collect();
                entries += parsed.len();
                assert_eq!(parsed, model(&payload));
            }
        }
        assert!(entries > 10_000, "next to no entries: {entries}");
    }
}
