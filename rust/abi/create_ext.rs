// SPDX-License-Identifier: GPL-2.0

//! What a request that makes something says after all else: with which security context it is to be
//! made, and by which group besides the caller's own.
//!
//! C counterpart: `get_create_ext` (dir.c). MKNOD, MKDIR, SYMLINK, CREATE and TMPFILE end with it.
//! Takes no locks.

use super::{
    codec::Writer,
    error::Overflow,
    name::Name, //
};

wire! {
    /// C: `struct fuse_secctx_header`.
    struct FuseSecctxHeader: 8 {
        size: u32,
        nr_secctx: u32,
    }
    /// C: `struct fuse_secctx`.
    struct FuseSecctx: 8 {
        size: u32,
        padding: u32,
    }
    /// C: `struct fuse_ext_header`.
    struct FuseExtHeader: 8 {
        size: u32,
        r#type: u32,
    }
    /// C: `struct fuse_supp_groups`, which the groups follow.
    struct FuseSuppGroups: 4 {
        nr_groups: u32,
    }
}

/// `FUSE_EXT_GROUPS`. Smaller numbers are counts of security contexts.
const EXT_GROUPS: u32 = 32;

/// All extensions begin at multiples of this from the first (`FUSE_REC_ALIGN`).
const ALIGN: usize = size_of::<u64>();

/// Bytes of the extension that has a group.
const GROUP_LEN: usize =
    size_of::<FuseExtHeader>() + size_of::<FuseSuppGroups>() + size_of::<u32>();

const _: () = assert!(GROUP_LEN % ALIGN == 0);

/// The security contexts of what is made.
#[derive(Clone, Copy, Debug)]
pub enum Secctx<'a> {
    /// The daemon does not want to know (SECURITY_CTX).
    NotAgreed,
    /// There is none.
    None,
    /// One.
    One {
        /// Of the extended attribute that it is.
        name: Name<'a>,
        /// Its bytes, a NUL among them if the security module says so.
        context: &'a [u8],
    },
}

/// The extensions.
#[derive(Clone, Copy, Debug)]
pub struct CreateExt<'a> {
    /// With which contexts.
    pub secctx: Secctx<'a>,
    /// The parent's group, of a caller that is in it: the daemon may have to give it to what is
    /// made (CREATE_SUPP_GROUP).
    pub group: Option<u32>,
}

impl CreateExt<'_> {
    /// Nothing was agreed on.
    pub const NONE: Self = Self {
        secctx: Secctx::NotAgreed,
        group: None,
    };

    /// Bytes on the wire, a multiple of eight.
    #[inline]
    pub(super) fn wire_len(&self) -> usize {
        self.secctx
            .wire_len()
            .saturating_add(self.group.map_or(0, |_| GROUP_LEN))
    }

    /// Writes them.
    #[inline]
    pub(super) fn encode(&self, out: &mut Writer<'_>) -> Result<(), Overflow> {
        self.secctx.encode(out)?;
        if let Some(group) = self.group {
            out.put(&FuseExtHeader {
                size: GROUP_LEN as u32,
                r#type: EXT_GROUPS,
            })?;
            out.put(&FuseSuppGroups { nr_groups: 1 })?;
            out.put(&group)?;
        }
        Ok(())
    }
}

impl Secctx<'_> {
    #[inline]
    fn wire_len(&self) -> usize {
        let context = match self {
            Self::NotAgreed => return 0,
            Self::None => 0,
            Self::One { name, context } => aligned(one_len(*name, context)),
        };
        context.saturating_add(size_of::<FuseSecctxHeader>())
    }

    fn encode(&self, out: &mut Writer<'_>) -> Result<(), Overflow> {
        let size = u32::try_from(self.wire_len()).map_err(|_| Overflow)?;
        match self {
            Self::NotAgreed => Ok(()),
            Self::None => out.put(&FuseSecctxHeader { size, nr_secctx: 0 }),
            Self::One { name, context } => {
                out.put(&FuseSecctxHeader { size, nr_secctx: 1 })?;
                out.put(&FuseSecctx {
                    size: u32::try_from(context.len()).map_err(|_| Overflow)?,
                    padding: 0,
                })?;
                name.encode(out)?;
                out.bytes(context)?;
                let len = one_len(*name, context);
                let rest = aligned(len).saturating_sub(len);
                out.bytes([0; ALIGN].get(..rest).ok_or(Overflow)?)
            }
        }
    }
}

/// Bytes of one context, without what aligns it.
fn one_len(name: Name<'_>, context: &[u8]) -> usize {
    size_of::<FuseSecctx>()
        .saturating_add(name.wire_len())
        .saturating_add(context.len())
}

/// The next multiple; of what has none, itself, which no message is long enough for.
fn aligned(len: usize) -> usize {
    len.checked_next_multiple_of(ALIGN).unwrap_or(len)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::abi::testing::*;

    /// Both, of which the first has to be aligned.
    pub const BOTH: CreateExt<'static> = CreateExt {
        secctx: Secctx::None,
        group: Some(1000),
    };

    pub fn one(context: &[u8]) -> Secctx<'_> {
        Secctx::One {
            name: name("security.selinux"),
            context,
        }
    }

    #[track_caller]
    fn bytes(secctx: Secctx<'_>, group: Option<u32>) -> Vec<u8> {
        let ext = CreateExt { secctx, group };
        let mut buf = vec![0xaa; ext.wire_len()];
        let mut writer = Writer::new(&mut buf);
        assert_eq!(ext.encode(&mut writer), Ok(()));
        assert_eq!(writer.remaining(), 0);
        assert_eq!(buf.len() % 8, 0);
        for short in 0..buf.len() {
            let mut buf = vec![0; short];
            assert_eq!(ext.encode(&mut Writer::new(&mut buf)), Err(Overflow));
        }
        buf
    }

    #[test]
    fn nothing_without_an_agreement() {
        assert_eq!(bytes(Secctx::NotAgreed, None), []);
        assert_eq!(CreateExt::NONE.wire_len(), 0);
    }

    #[test]
    fn a_header_without_contexts() {
        assert_eq!(bytes(Secctx::None, None), wire().u32(8).u32(0).0);
    }

    #[test]
    fn a_group() {
        let group = || wire().u32(16).u32(32).u32(1).u32(1000);
        assert_eq!(bytes(Secctx::NotAgreed, Some(1000)), group().0);
        let both = [wire().u32(8).u32(0).0, group().0].concat();
        assert_eq!(bytes(Secctx::None, Some(1000)), both);
    }

    /// Name and context with no more between them than the name's NUL, zeros up to a multiple of
    /// eight.
    #[test]
    fn a_context() {
        for len in 0..40 {
            let context = vec![b'c'; len];
            let whole = (8 + 17 + len).next_multiple_of(8);
            let mut want = wire()
                .u32(8 + whole as u32)
                .u32(1)
                .u32(len as u32)
                .u32(0)
                .text("security.selinux\0")
                .0;
            want.extend(&context);
            want.resize(8 + whole, 0);
            assert_eq!(bytes(one(&context), None), want);
            let group = wire().u32(16).u32(32).u32(1).u32(0).0;
            assert_eq!(bytes(one(&context), Some(0)), [want, group].concat());
        }
    }
}
