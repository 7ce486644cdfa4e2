//! A message encoded once, for any number of sockets.

use std::sync::Arc;

/// One text frame. Cloning it shares the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame(Arc<str>);

impl Frame {
    /// The frame's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Several messages as one frame: a JSON array, in order. A single one stays as it is.
    pub fn together(frames: &[Frame]) -> Self {
        if let [one] = frames {
            return one.clone();
        }
        let bytes: usize = frames.iter().map(|frame| frame.0.len() + 1).sum();
        let mut text = String::with_capacity(bytes + 2);
        text.push('[');
        for (index, frame) in frames.iter().enumerate() {
            if index > 0 {
                text.push(',');
            }
            text.push_str(&frame.0);
        }
        text.push(']');
        text.into()
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}
