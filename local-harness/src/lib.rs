//! local-harness.
