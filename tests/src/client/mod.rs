//! Clients of the product as strangers would write them: REST, sockets and tokens.

pub mod rest;
pub mod socket;
pub mod token;

pub use rest::{Reply, Rest};
pub use socket::{Dial, Socket};
pub use token::{Minter, Role};
