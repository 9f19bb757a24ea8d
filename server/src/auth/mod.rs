//! Who somebody is, and what they may do.
//!
//! A credential ([`Credential`]) is a token or a ticket that stands for one. A token is a signed text ([`jws`]): a key of
//! ours ([`keys`], [`key_source`]) shows that it is genuine, its [`claims`] say who holds it and until when. What comes of it is
//! an [`Access`]; what that is good for is in the table of [`rights`]. The rest of the program asks an `Access` and does not
//! know where it came from.

pub mod access;
pub mod authenticator;
pub mod claims;
mod fetch;
pub mod jwk;
pub mod jws;
pub mod key_source;
pub mod keys;
pub mod mint;
pub mod rights;
mod roca;
pub mod role;
pub mod tickets;

pub use access::Access;
pub use authenticator::{Authenticator, Credential, Denied};
pub use role::Role;
