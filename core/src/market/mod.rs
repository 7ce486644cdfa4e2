//! Market data from elsewhere: who has it, how it is asked for, and what an answer means.
//!
//! Pure: a provider's module turns a need into a [`Request`](crate::fetch::Request) and bytes into
//! bars or a typed error. Nothing a provider says is trusted.

mod cboe;
mod fred;
mod http;
pub mod marks;
pub mod mood;
pub mod provider;
mod rows;
pub mod series;
mod stooq;
#[cfg(test)]
mod tests;
mod tiingo;
mod treasury;
mod yahoo;
