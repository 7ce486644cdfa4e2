//! Market data from elsewhere: who has it, how it is asked for, and what an answer means.
//!
//! Pure: a provider's module turns a need into a [`Request`](crate::fetch::Request) and bytes into
//! bars or a typed error. Nothing a provider says is trusted.

pub mod marks;
pub mod mood;
pub mod provider;
pub mod series;
mod treasury;
