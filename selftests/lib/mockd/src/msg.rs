// SPDX-License-Identifier: GPL-2.0

//! Values that a caller's process sends back to the test.

use crate::errno::Errno;

/// Something that can be sent through a pipe.
pub trait Msg: Sized {
    fn put(&self, out: &mut Vec<u8>);
    /// None if `b` ends too soon.
    fn take(b: &mut &[u8]) -> Option<Self>;

    fn encode(&self) -> Vec<u8> {
        let mut v = Vec::new();
        self.put(&mut v);
        v
    }

    fn decode(mut b: &[u8]) -> Option<Self> {
        let v = Self::take(&mut b)?;
        b.is_empty().then_some(v)
    }
}

macro_rules! ints {
    ($($t:ty),*) => { $(
        impl Msg for $t {
            fn put(&self, out: &mut Vec<u8>) { out.extend_from_slice(&self.to_ne_bytes()); }
            fn take(b: &mut &[u8]) -> Option<Self> {
                let (h, t) = b.split_at_checked(size_of::<$t>())?;
                *b = t;
                Some(<$t>::from_ne_bytes(h.try_into().ok()?))
            }
        }
    )* };
}
ints!(u8, u16, u32, u64, i16, i32, i64, usize);

impl Msg for () {
    fn put(&self, _: &mut Vec<u8>) {}
    fn take(_: &mut &[u8]) -> Option<Self> {
        Some(())
    }
}

impl Msg for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        Some(u8::take(b)? != 0)
    }
}

impl Msg for Errno {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        Some(Errno(i32::take(b)?))
    }
}

impl<T: Msg> Msg for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.len().put(out);
        self.iter().for_each(|x| x.put(out));
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        let n = usize::take(b)?;
        (0..n).map(|_| T::take(b)).collect()
    }
}

impl Msg for String {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_bytes().to_vec().put(out);
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        String::from_utf8(Vec::<u8>::take(b)?).ok()
    }
}

impl<T: Msg> Msg for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(x) = self {
            x.put(out);
        }
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(b)? {
            Some(T::take(b)?)
        } else {
            None
        })
    }
}

impl<T: Msg, E: Msg> Msg for Result<T, E> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_ok().put(out);
        match self {
            Ok(x) => x.put(out),
            Err(e) => e.put(out),
        }
    }
    fn take(b: &mut &[u8]) -> Option<Self> {
        Some(if bool::take(b)? {
            Ok(T::take(b)?)
        } else {
            Err(E::take(b)?)
        })
    }
}

macro_rules! tuples {
    ($($n:ident $i:tt),*) => {
        impl<$($n: Msg),*> Msg for ($($n,)*) {
            fn put(&self, out: &mut Vec<u8>) { $(self.$i.put(out);)* }
            fn take(b: &mut &[u8]) -> Option<Self> { Some(($($n::take(b)?,)*)) }
        }
    };
}
tuples!(A 0, B 1);
tuples!(A 0, B 1, C 2);
tuples!(A 0, B 1, C 2, D 3);
tuples!(A 0, B 1, C 2, D 3, E 4);
