// SPDX-License-Identifier: GPL-2.0

//! GETATTR: asks for attributes.
//!
//! C counterpart: `fuse_do_getattr` (dir.c). Takes no locks.
//!
//! After the header, for the open file 9:
//!
//! ```text
//! 01 00 00 00  getattr_flags: FH       00 00 00 00  dummy
//! 09 00 00 00 00 00 00 00              fh
//! ```
//!
//! The reply is a timeout and a [`FuseAttr`](crate::abi::attr::FuseAttr).

use super::Op;
use crate::abi::{
    attr::{
        Attr,
        AttrReply,
        FuseAttrOut, //
    },
    codec::{
        Body,
        Reply,
        Writer, //
    },
    error::{
        BadAttr,
        BadReply,
        Overflow, //
    },
    flags::GetattrFlags,
    ids::FileHandle,
    opcode::Opcode,
    time::Timeout,
    version::Minor, //
};

wire! {
    /// C: `struct fuse_getattr_in`.
    struct FuseGetattrIn: 16 {
        getattr_flags: u32,
        dummy: u32,
        fh: u64,
    }
}

/// Asks for attributes.
#[derive(Clone, Copy, Debug)]
pub struct Getattr {
    /// Of an open regular file, if one is at hand; directories have handles of another kind.
    pub fh: Option<FileHandle>,
}

impl Getattr {
    /// As [`decode`](Op::decode), looked at where the reply lies.
    ///
    /// # Errors
    ///
    /// As [`decode`](Op::decode).
    #[inline(always)]
    pub fn look<R>(
        body: Body<'_>,
        minor: Minor,
        then: impl FnOnce(Result<Attr<'_>, BadAttr>, Timeout) -> R,
    ) -> Result<R, BadReply> {
        FuseAttrOut::look(body, minor, then)
    }
}

impl Op for Getattr {
    const OPCODE: Opcode = Opcode::Getattr;
    /// An inode whose attributes are bad becomes bad itself, and its caller gets EIO.
    type Out = Result<AttrReply, BadAttr>;

    fn in_len(&self, _minor: Minor) -> usize {
        size_of::<FuseGetattrIn>()
    }

    fn encode(&self, out: &mut Writer<'_>, _minor: Minor) -> Result<(), Overflow> {
        let flags = GetattrFlags::EMPTY.with_if(self.fh.is_some(), GetattrFlags::FH);

        out.put(&FuseGetattrIn {
            getattr_flags: flags.bits(),
            dummy: 0,
            fh: self.fh.unwrap_or_default().get(),
        })
    }

    fn reply(&self, minor: Minor) -> Reply {
        Reply::Fixed(FuseAttrOut::wire_len(minor))
    }

    fn decode(&self, body: Body<'_>, minor: Minor) -> Result<Self::Out, BadReply> {
        FuseAttrOut::decode(body, minor)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::{
        attr::FuseAttr,
        op::Setattr,
        testing::*, //
    };
    use zerocopy::IntoBytes;

    pub fn case() -> Case {
        Case::new(Getattr { fh: None }, |_| 16, attr_only)
    }

    #[test]
    fn bytes() {
        expect(Getattr { fh: None }, 46, wire().u32(0).u32(0).u64(0));
        let fh = Some(FileHandle::from_raw(9));
        expect(Getattr { fh }, 0, wire().u32(1).u32(0).u64(9));
        let fh = Some(FileHandle::ZERO);
        expect(Getattr { fh }, 46, wire().u32(1).u32(0).u64(0));
    }

    /// A reply is looked at where it lies, or in a copy if it lies badly: no matter.
    #[test]
    fn attributes_anywhere() {
        let raw = FuseAttrOut {
            attr_valid: 30,
            attr: raw_attr(0o100644),
            ..Default::default()
        };
        for at in 0..8 {
            let mut place = [0u8; 112];
            place[at..at + 104].copy_from_slice(raw.as_bytes());
            let body = Body::new(&place[at..at + 104], 0);
            let seen = Getattr::look(body, V46, |attr, valid| {
                (attr.map(|attr| attr.ino()), valid)
            });
            assert_eq!(seen, Ok((Ok(3), Timeout::new(30, 0))));
            // Not with a payload, nor with another length.
            for body in [
                Body::new(&place[at..at + 104], 1),
                Body::new(&place[at..at + 103], 0),
                Body::new(&place[..at], 0),
            ] {
                let seen = Getattr::look(body, V46, |_, _| ());
                assert_eq!(seen, Err(BadReply::Length));
            }
        }
    }

    #[test]
    fn bad_attributes_are_told_apart_from_bad_replies() {
        let mut raw = FuseAttrOut {
            attr: raw_attr(0),
            ..Default::default()
        };
        assert_eq!(
            decode(Getattr { fh: None }, raw.as_bytes(), 46),
            Ok(Err(BadAttr))
        );
        assert_eq!(
            decode(Setattr::default(), raw.as_bytes(), 46),
            Ok(Err(BadAttr))
        );
        raw.attr = FuseAttr {
            size: u64::MAX,
            ..raw_attr(0o100644)
        };
        assert_eq!(
            decode(Getattr { fh: None }, raw.as_bytes(), 46),
            Ok(Err(BadAttr))
        );
        let short = &raw.as_bytes()[..103];
        assert_eq!(
            decode(Getattr { fh: None }, short, 46),
            Err(BadReply::Length)
        );
    }
}
