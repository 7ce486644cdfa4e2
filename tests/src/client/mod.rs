//! Clients of the product as strangers would write them: REST, sockets and tokens.

pub mod raw;
pub mod rest;
pub mod socket;
pub mod token;

pub use raw::Raw;
pub use rest::{Reply, Rest};
pub use socket::{Dial, Socket};
pub use token::{Minter, Role};
