// SPDX-License-Identifier: GPL-2.0

//! How the structs of the kernel's header are written down. `wire!` is known in all of `abi`.

/// Structs of `include/uapi/linux/fuse.h`, each with its size in bytes, which is checked. Their
/// fields have the header's names, and whatever the daemon says.
macro_rules! wire {
    ($($(#[$doc:meta])* struct $name:ident: $len:literal {
        $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(
                Clone,
                Copy,
                PartialEq,
                Eq,
                Default,
                Debug,
                zerocopy_derive::FromBytes,
                zerocopy_derive::IntoBytes,
                zerocopy_derive::Immutable,
                zerocopy_derive::KnownLayout,
            )]
            #[repr(C)]
            #[allow(missing_docs, reason = "the header's names")]
            pub struct $name {
                $($(#[$field_doc])* pub $field: $type,)*
            }

            const _: () = assert!(size_of::<$name>() == $len);
        )*
    };
}
